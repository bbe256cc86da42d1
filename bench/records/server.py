"""The PostgreSQL of `bench records`: as `up` sets it, in a folder that may stay; quick while it is filled,
and emptied out of every cache for what is measured cold.
"""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from runtime import ports, process
from runtime.failure import SetupError
from runtime.services.postgres import Server
from runtime.waiting import until

_FILLING = (
    "-cfsync=off",
    "-cfull_page_writes=off",
    "-cwal_level=minimal",
    "-cmax_wal_senders=0",
    "-cmax_wal_size=2GB",
    "-cautovacuum=off",
)
"""What is made again when it is lost needs no safety."""


class Store:
    """One server on a folder; its password and port stay with the folder."""

    def __init__(self, folder: Path) -> None:
        """Make the cluster unless it is there."""
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)  # PostgreSQL runs as another user below it
        self.log = folder / "postgres.log"
        word = folder / "word"
        if not word.exists():
            word.touch(mode=0o600)
            word.write_text(secrets.token_urlsafe(16))
        self.server = Server(folder / "postgres", ports.any_free(), word.read_text())
        self.server.create(self.log)
        self._running: subprocess.Popen[bytes] | None = None

    def url(self, database: str = "postgres") -> str:
        """Return the superuser's URL of a database."""
        return self.server.url(database)

    @contextmanager
    def filling(self) -> Iterator[None]:
        """Run it for filling."""
        with self._run(_FILLING):
            yield

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run it as `up` does; `forget` may restart it meanwhile."""
        with self._run(()):
            yield

    def forget(self) -> None:
        """Restart it with nothing of its files in memory, neither its own nor the kernel's."""
        if self._running is None:
            raise SetupError("the server does not run", "call it inside running()", self.log)
        process.stop(self._running, self.server.command())
        drop_cached(self.server.data)
        self._start(())

    @contextmanager
    def _run(self, settings: tuple[str, ...]) -> Iterator[None]:
        try:
            self._start(settings)
            yield
        finally:
            if self._running is not None:
                process.stop(self._running, self.server.command())
                self._running = None

    def _start(self, settings: tuple[str, ...]) -> None:
        command = self.server.command()
        with self.log.open("ab") as out:
            self._running = started = process.spawn(replace(command, argv=(*command.argv, *settings)), out)
        until(lambda: self.server.ready() or started.poll() is not None, 120)
        if started.poll() is not None or not self.server.ready():
            raise SetupError("PostgreSQL did not start", "read the log", self.log)


def drop_cached(folder: Path) -> None:
    """Let the kernel forget what it holds of the files below a folder, once they are written out."""
    for path in folder.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fdatasync(descriptor)
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(descriptor)
