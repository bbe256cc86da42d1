"""An SFTP directory, by asyncssh: the server's key is pinned, and nothing is taken from the user's SSH
configuration.
"""

from __future__ import annotations

import asyncio
import os
import stat
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import unquote, urlsplit

import asyncssh

from adapters.files.place import (
    BLOCK,
    Entry,
    GoneError,
    NotNowError,
    PlaceDownError,
    PlaceError,
    hidden,
    steps,
)
from consortium.errors import PermanentError, YilianError
from runtime.settings import FilePlace

T = TypeVar("T")

CONNECT_SECONDS = 15.0
CALL_SECONDS = 60.0
"""For one operation: a look, a block, a move."""
_MISSING = "the server has no such folder: make it, or mend file_places"
_LINE_BROKE = (asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection)


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect, taken apart and checked."""

    host: str
    port: int
    user: str
    folder: str
    host_key: asyncssh.SSHKey

    @classmethod
    def of(cls, place: FilePlace) -> Self:
        """Read a place. Raises PermanentError saying which part is wrong."""
        parts = urlsplit(place.url)
        if parts.scheme != "sftp" or not parts.hostname or not parts.username or parts.password:
            raise PermanentError(
                "write the url as sftp://user@host:22/folder; the password is a key of its own"
            )
        if not place.host_key:
            raise PermanentError(
                f"host_key is empty: write what ssh-keyscan {parts.hostname} prints, once checked"
            )
        if not place.password and not place.key_file:
            raise PermanentError("write a password or a key_file")
        folder = unquote(parts.path) or "/"
        return cls(parts.hostname, parts.port or 22, unquote(parts.username), folder, _public(place.host_key))


def _public(text: str) -> asyncssh.SSHKey:
    words = text.split()
    # ssh-keyscan prints the host before the key.
    start = next((n for n, word in enumerate(words) if word.startswith(("ssh-", "ecdsa-"))), 0)
    try:
        return asyncssh.import_public_key(" ".join(words[start : start + 2]))
    except asyncssh.KeyImportError as error:
        raise PermanentError("host_key is no SSH public key: write it as ssh-ed25519 AAAA…") from error


def _private(path: Path, passphrase: str) -> asyncssh.SSHKey:
    try:
        return asyncssh.read_private_key(path, passphrase or None)
    except (OSError, asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        reason = f"key_file {path} cannot be read ({type(error).__name__}): check path, rights and passphrase"
        raise PlaceError(reason) from None


class Sftp:
    """A `Place` behind an SFTP server. It connects when it is needed, and again when the line broke."""

    def __init__(self, place: FilePlace) -> None:
        self._target = Target.of(place)
        self._secrets = place
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._connection: asyncssh.SSHClientConnection | None = None
        self._client: asyncssh.SFTPClient | None = None
        self._waiting: set[Future[Any]] = set()
        """What calls wait for."""

    def reach(self) -> None:
        """Look whether the directory is there."""
        path = self._path("")
        try:
            self._run(lambda client: client.stat(path))
        except GoneError:
            raise PlaceError(_MISSING) from None

    def entries(self, folder: str = "") -> list[Entry]:
        """Return what lies in a folder and is no folder itself."""
        path = self._path(folder)
        return self._run(lambda client: _entries(client, path, optional=bool(folder)))

    def look(self, path: str) -> Entry | None:
        """Return one file; None when it is not there."""
        full, name = self._path(path), steps(path)[-1]
        return self._run(lambda client: _look(client, full, name))

    def blocks(self, path: str) -> Iterator[bytes]:
        """Read a regular file."""
        found = self.look(path)
        if found is None:
            raise GoneError("the file is gone")
        if not found.plain:
            raise PlaceError("not a regular file")
        full, at = self._path(path), 0
        file = self._run(lambda client: _open(client, full))
        try:
            while block := self._run(partial(_block, file, at)):
                at += len(block)
                yield block
        finally:
            with suppress(PlaceDownError):  # the line broke, and the handle with it
                self._run(lambda _client: file.close())

    def move(self, path: str, to: str) -> None:
        """Move a file in one step, over one of that name."""
        source, target = self._path(path), self._path(to)
        above = steps(to)[:-1]
        folders = [self._path("/".join(above[:n])) for n in range(1, len(above) + 1)]
        self._run(lambda client: _move(client, source, target, folders))

    def write(self, path: str, body: bytes, temporary: str = "") -> None:
        """Write a file under a temporary name, make it safe on disk, give it its name in one step."""
        *above, name = steps(path)
        folders = [self._path("/".join(above[:n])) for n in range(1, len(above) + 1)]
        first = self._path("/".join([*above, temporary or hidden(name)]))
        self._run(lambda client: _write(client, first, self._path(path), folders, body), CALL_SECONDS * 5)

    def remove(self, path: str) -> None:
        """Remove a file; nothing happens when it is not there."""
        full = self._path(path)
        self._run(lambda client: _remove(client, full))

    def close(self) -> None:
        """Close the connection; who waits for an answer over it in another thread gets PlaceDownError."""
        for call in list(self._waiting):
            call.cancel()
        loop, thread = self._loop, self._thread
        self._loop = self._thread = None
        if loop is None or thread is None:
            return
        with suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(self._disconnect(), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()

    def _path(self, path: str) -> bytes:
        # Bytes: the server's names need not be UTF-8.
        return os.fsencode("/".join([self._target.folder.rstrip("/"), *steps(path)]) or "/")

    def _run(self, act: Callable[[asyncssh.SFTPClient], Awaitable[T]], seconds: float = CALL_SECONDS) -> T:
        future = asyncio.run_coroutine_threadsafe(self._call(act, seconds), self._running())
        self._waiting.add(future)
        try:
            return future.result(seconds + CONNECT_SECONDS + 5)
        except CancelledError:
            raise PlaceDownError("the connection was closed before the answer came") from None
        finally:
            self._waiting.discard(future)

    def _running(self) -> asyncio.AbstractEventLoop:
        # A thread of its own keeps the connection alive between two looks.
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._loop.run_forever, name="sftp", daemon=True)
            self._thread.start()
        return self._loop

    async def _call(self, act: Callable[[asyncssh.SFTPClient], Awaitable[T]], seconds: float) -> T:
        try:
            async with asyncio.timeout(seconds):
                return await act(await self._connected())
        except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
            raise GoneError("the file or folder is gone") from None
        except asyncssh.SFTPPermissionDenied:
            raise PlaceError(
                "the server does not let us: give the account the right to read and write"
            ) from None
        except asyncssh.SFTPError as error:
            await self._disconnect()
            raise _refused(self._target, error) from None
        except (asyncssh.Error, OSError, TimeoutError) as error:
            await self._disconnect()
            raise _down(self._target, error) from None

    async def _connected(self) -> asyncssh.SFTPClient:
        if self._client is None:
            async with asyncio.timeout(CONNECT_SECONDS):
                self._connection = await self._connect()
                self._client = await self._connection.start_sftp_client()
        return self._client

    async def _connect(self) -> asyncssh.SSHClientConnection:
        target, secrets = self._target, self._secrets
        return await asyncssh.connect(
            target.host,
            target.port,
            username=target.user,
            password=secrets.password or None,
            client_keys=[_private(secrets.key_file, secrets.key_passphrase)] if secrets.key_file else None,
            known_hosts=([target.host_key], [], []),
            config=None,
            agent_path=None,
            keepalive_interval=15,
            login_timeout=CONNECT_SECONDS,
        )

    async def _disconnect(self) -> None:
        connection, self._connection, self._client = self._connection, None, None
        if connection is not None:
            connection.abort()
            with suppress(OSError, asyncssh.Error):  # it is being given up
                await connection.wait_closed()


def _refused(target: Target, error: asyncssh.SFTPError) -> YilianError:
    what = f"{target.host}:{target.port} does not answer as it should: {type(error).__name__}"
    return PlaceDownError(what) if isinstance(error, _LINE_BROKE) else NotNowError(what)


def _down(target: Target, error: Exception) -> YilianError:
    where = f"{target.host}:{target.port}"
    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        return PlaceError(
            f"{where} shows another host key than the pinned one: ask its owner before you change it"
        )
    if isinstance(error, asyncssh.PermissionDenied):
        return PlaceError(f"{where} does not take user {target.user}: check password and key_file")
    return PlaceDownError(f"{where} does not answer as it should: {type(error).__name__}")


async def _entries(client: asyncssh.SFTPClient, path: bytes, *, optional: bool) -> list[Entry]:
    try:
        found = [each async for each in client.scandir(path)]
    except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
        if optional:
            return []
        raise PlaceError(_MISSING) from None
    named = [(os.fsdecode(each.filename), each.attrs) for each in found]
    looked = [_entry(name, attrs) for name, attrs in named if name not in (".", "..")]
    return [entry for entry in looked if entry]


async def _look(client: asyncssh.SFTPClient, path: bytes, name: str) -> Entry | None:
    try:
        return _entry(name, await client.lstat(path))
    except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
        return None


def _entry(name: str, attrs: asyncssh.SFTPAttrs) -> Entry | None:
    mode = attrs.permissions or 0
    if stat.S_ISDIR(mode) or attrs.type == asyncssh.FILEXFER_TYPE_DIRECTORY:
        return None
    plain = stat.S_ISREG(mode) or (not stat.S_IFMT(mode) and attrs.type == asyncssh.FILEXFER_TYPE_REGULAR)
    return Entry(name, attrs.size or 0, float(attrs.mtime or 0), plain)


async def _open(client: asyncssh.SFTPClient, path: bytes) -> asyncssh.SFTPClientFile:
    return await client.open(path, "rb", encoding=None)


async def _block(file: asyncssh.SFTPClientFile, at: int, _client: asyncssh.SFTPClient) -> bytes:
    block: bytes = await file.read(BLOCK, at)
    return block


async def _folders(client: asyncssh.SFTPClient, folders: list[bytes]) -> None:
    for folder in folders:
        try:
            mode = (await client.lstat(folder)).permissions or 0
        except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
            await client.mkdir(folder)
            continue
        if not stat.S_ISDIR(mode):
            raise PlaceError("a folder of the adapter's is a link or a file: remove it")


async def _move(client: asyncssh.SFTPClient, source: bytes, target: bytes, folders: list[bytes]) -> None:
    await _folders(client, folders)
    try:
        await client.posix_rename(source, target)
    except asyncssh.SFTPOpUnsupported:
        # Without the extension a rename never goes over a file, and what lies there has the same content.
        await _remove(client, target)
        await client.rename(source, target)


async def _write(
    client: asyncssh.SFTPClient, temporary: bytes, path: bytes, folders: list[bytes], body: bytes
) -> None:
    await _folders(client, folders)
    async with client.open(temporary, "wb", encoding=None) as file:
        await file.write(body)
        with suppress(asyncssh.SFTPOpUnsupported):  # a server without the extension syncs when it pleases
            await file.fsync()
    await _move(client, temporary, path, [])


async def _remove(client: asyncssh.SFTPClient, path: bytes) -> None:
    with suppress(asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
        await client.remove(path)
