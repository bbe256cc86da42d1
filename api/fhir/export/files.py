"""The files of the exports: a folder for each job, its parts compressed NDJSON."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self
from uuid import UUID

from runtime.settings import Settings, home

SUFFIX = ".gz"
_LEVEL = 6
_CHUNK = 256 * 1024
"""Bytes read at a time."""
_UNFINISHED = "unfinished"


def folder(settings: Settings) -> Path:
    """Return where exports lie."""
    return settings.export_folder or home() / "exports"


def name_of(number: int, type_: str) -> str:
    """Return what the file of a part is called."""
    return f"{number:05d}-{type_}.ndjson"


def place_of(root: Path, job: UUID, name: str) -> Path:
    """Return where the file of a part lies."""
    return root / str(job) / f"{name}{SUFFIX}"


class Writing:
    """One part while it is written: under a name that is nobody's until `keep`."""

    def __init__(self, root: Path, job: UUID) -> None:
        """Begin; what a crash left of it before goes. Raises OSError."""
        self._folder = root / str(job)
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for left in self._folder.glob(f"{_UNFINISHED}.*"):
            left.unlink(missing_ok=True)
        self._path = self._folder / f"{_UNFINISHED}.{os.getpid()}"
        self._raw = self._path.open("wb")
        self._zipped = gzip.GzipFile("", "wb", _LEVEL, self._raw, mtime=0)

    def __enter__(self) -> Self:
        """Write within the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close; what was not kept is removed."""
        self._zipped.close()
        self._raw.close()
        self._path.unlink(missing_ok=True)

    def add(self, lines: Iterable[bytes]) -> None:
        """Add lines. Raises OSError."""
        for line in lines:
            self._zipped.write(line + b"\n")

    def synced(self) -> int:
        """Make it durable; return its size in bytes. Raises OSError."""
        self._zipped.close()
        self._raw.flush()
        os.fsync(self._raw.fileno())
        return self._raw.tell()

    def keep(self, name: str) -> None:
        """Give it its name, in place of what has it. Raises OSError."""
        self._path.replace(self._folder / f"{name}{SUFFIX}")
        for one in (self._folder, self._folder.parent):
            _sync_folder(one)


def _sync_folder(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def plain(path: Path) -> Iterator[bytes]:
    """Give what a file holds, not compressed."""
    with gzip.open(path) as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def remove(root: Path, job: UUID) -> None:
    """Remove the files of a job, if there are any. Raises OSError."""
    try:
        shutil.rmtree(root / str(job))
    except FileNotFoundError:
        return


def left(root: Path) -> list[UUID]:
    """Return the jobs that have a folder; what else lies there is not ours."""
    if not root.exists():
        return []
    return [id_ for one in root.iterdir() if one.is_dir() and (id_ := _uuid(one.name)) is not None]


def _uuid(name: str) -> UUID | None:
    try:
        found = UUID(name)
    except ValueError:
        return None
    return found if str(found) == name else None
