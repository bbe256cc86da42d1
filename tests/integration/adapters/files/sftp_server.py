"""A real SFTP server on loopback: asyncssh's, in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh

from runtime.settings import FilePlace

USER, PASSWORD = "yilian", "open sesame"


@dataclass
class Server:
    """What runs."""

    root: Path
    port: int
    host_key: str
    client_key: Path
    loop: asyncio.AbstractEventLoop
    connections: list[asyncssh.SSHServerConnection] = field(default_factory=list)

    def place(self, **more: Any) -> FilePlace:
        """Return the setting that leads here."""
        url = f"sftp://{USER}@127.0.0.1:{self.port}/drop"
        return FilePlace.model_validate({"url": url, "host_key": self.host_key, "password": PASSWORD, **more})

    def cut(self) -> None:
        """Break every connection."""

        def abort() -> None:
            while self.connections:
                self.connections.pop().abort()

        self.loop.call_soon_threadsafe(abort)


class _Door(asyncssh.SSHServer):
    def __init__(self, server: dict[str, Server], key: asyncssh.SSHKey) -> None:
        self._server = server
        self._key = key

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._server["it"].connections.append(conn)

    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (USER, PASSWORD)

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return username == USER and key.public_data == self._key.public_data


@contextmanager
def serving(
    root: Path, folder: Path, sftp: type[asyncssh.SFTPServer] = asyncssh.SFTPServer
) -> Iterator[Server]:
    """Serve `root`, as the whole file system that its users see; `folder` keeps the client's key."""
    host_key = asyncssh.generate_private_key("ssh-ed25519")
    client_key = asyncssh.generate_private_key("ssh-ed25519")
    client_key.write_private_key(folder / "client.key", passphrase="key phrase")
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    holder: dict[str, Server] = {}

    async def listen() -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[host_key],
            server_factory=lambda: _Door(holder, client_key),
            sftp_factory=lambda channel: sftp(channel, chroot=bytes(root)),
        )

    async def close(acceptor: asyncssh.SSHAcceptor) -> None:
        acceptor.close()
        await acceptor.wait_closed()
        for connection in holder["it"].connections:
            connection.abort()
            await connection.wait_closed()

    try:
        acceptor = asyncio.run_coroutine_threadsafe(listen(), loop).result(20)
        public = host_key.export_public_key().decode().strip()
        holder["it"] = Server(root, acceptor.get_port(), public, folder / "client.key", loop)
        yield holder["it"]
        asyncio.run_coroutine_threadsafe(close(acceptor), loop).result(20)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)
        loop.close()
