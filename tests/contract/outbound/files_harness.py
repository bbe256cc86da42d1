"""A folder on disk, and the same behind an SFTP server that can be told how to behave."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh

from adapters.files.outbound import FilesTransport
from bus.delivery.transport import Transport
from bus.rules.destinations import FilesDestination
from runtime.settings import FilePlace
from tests.contract.outbound.harness import How
from tests.contract.outbound.http_harness import COMMON
from tests.integration.adapters.files.sftp_server import serving

FOLDER_KNOWS = frozenset({How.TAKES, How.REFUSES, How.WRONG_DOOR})
"""A folder on this machine is never silent."""


def files(**more: Any) -> FilesDestination:
    """Return a destination with short times."""
    common = {**COMMON, "timeout_seconds": 2.0, **more}
    return FilesDestination(**{"kind": "files", "place": "drop", "file": "{MSH-10}.hl7", **common})


@dataclass
class FolderPeer:
    """A folder, and our way to it."""

    spec: FilesDestination
    transport: Transport
    root: Path

    async def behave(self, how: How) -> None:
        """Behave so from now on."""
        if how is How.REFUSES:
            (self.root / "C1.hl7").write_bytes(b"of somebody else")
        if how is How.WRONG_DOOR:
            (self.root / "C1.hl7").mkdir()

    async def down(self) -> None:
        """Be switched off."""
        shutil.rmtree(self.root)

    async def got(self) -> list[str]:
        """Return what lies there whole."""
        found = [path for path in self.root.glob("*.hl7") if path.is_file()]
        mine = [path for path in found if path.read_bytes().startswith(b"MSH")]
        return [path.stem for path in sorted(mine, key=lambda path: path.stat().st_mtime_ns)]

    async def effects(self) -> list[str]:
        """Return the files."""
        return await self.got()


class FolderHarness:
    """A folder on this machine."""

    reads = True

    @asynccontextmanager
    async def receiving(self) -> AsyncIterator[FolderPeer]:
        """Make a folder."""
        with tempfile.TemporaryDirectory() as above:
            root = Path(above) / "drop"
            root.mkdir()
            spec = files()
            transport = FilesTransport(spec, FilePlace(url=str(root)))
            try:
                yield FolderPeer(spec, transport, root)
            finally:
                await transport.close()


class _Told(asyncssh.SFTPServer):
    """Opens files to write as it is told."""

    how = How.TAKES

    def __init__(self, channel: Any, chroot: bytes) -> None:
        super().__init__(channel, chroot=chroot)
        self.line = channel

    async def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
        """Open, or not."""
        if pflags & asyncssh.FXF_WRITE:
            match type(self).how:
                case How.SILENT:
                    await asyncio.Event().wait()
                case How.CLOSES:
                    self.line.get_connection().abort()
                case How.LATER:
                    raise asyncssh.SFTPFailure("no space")
                case How.WRONG_DOOR:
                    raise asyncssh.SFTPPermissionDenied("no")
        return super().open(path, pflags, attrs)


@dataclass
class SftpPeer(FolderPeer):
    """The same, behind a server."""

    running: ExitStack
    sftp: type[_Told]

    async def behave(self, how: How) -> None:
        """Behave so from now on."""
        self.sftp.how = how
        if how is How.REFUSES:
            await super().behave(how)

    async def down(self) -> None:
        """Be switched off."""
        await asyncio.to_thread(self.running.close)


class SftpHarness:
    """A directory of an SFTP server."""

    reads = True

    @asynccontextmanager
    async def receiving(self) -> AsyncIterator[SftpPeer]:
        """Run a server."""

        class Told(_Told):
            """How one server behaves is not how the next does."""

        with tempfile.TemporaryDirectory() as above, ExitStack() as running:
            root = Path(above) / "server" / "drop"
            root.mkdir(parents=True)
            server = running.enter_context(serving(root.parent, Path(above), Told))
            spec = files()
            transport = FilesTransport(spec, server.place())
            try:
                yield SftpPeer(spec, transport, root, running, Told)
            finally:
                await transport.close()
