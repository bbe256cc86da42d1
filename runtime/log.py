"""The services' logs: one file each, appended to by the service itself, kept and rotated while it runs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from runtime.settings import home

LIMIT = 20 * 1024 * 1024
"""Bytes at which a log is rotated."""
KEPT = 5
"""Rotated files kept beside the current one: NAME.log.1 is the newest."""


def path(name: str) -> Path:
    """Return the log of that service."""
    return home() / "logs" / f"{name}.log"


def numbered(log: Path, number: int) -> Path:
    """Return the name of an older file of that log."""
    return log.with_name(f"{log.name}.{number}")


def rotate(log: Path, limit: int = LIMIT, kept: int = KEPT) -> bool:
    """Move a log's content aside when it has reached `limit` bytes; return whether it had.

    The service keeps its open file, which is emptied: it writes by appending. Lines written between the last
    copy and the emptying are lost, so the copy goes on until it has caught up: a moment is left.
    """
    if not log.exists() or log.stat().st_size < limit:
        return False
    for number in range(kept - 1, 0, -1):
        if numbered(log, number).exists():
            numbered(log, number).replace(numbered(log, number + 1))
    with log.open("rb+", buffering=0) as current, numbered(log, 1).open("wb") as aside:
        os.fchmod(aside.fileno(), 0o600)
        while current.tell() < os.fstat(current.fileno()).st_size:
            shutil.copyfileobj(current, aside)
        current.truncate(0)
    return True


def last_lines(log: Path, count: int) -> list[str]:
    """Return the last lines of a log, at most `count`, reading no more than its last 256 KiB."""
    if not log.exists():
        return []
    with log.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 256 * 1024))
        return file.read().decode("utf-8", errors="replace").splitlines()[-count:]


def names() -> Iterator[str]:
    """Yield the names of the logs that there are, in order."""
    yield from sorted(p.name.removesuffix(".log") for p in (home() / "logs").glob("*.log"))
