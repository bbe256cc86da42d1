"""A place where files are exchanged: what a drop folder and an SFTP directory have in common."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from consortium.errors import PermanentError, RetryableError

CLAIMED, ARCHIVE, REJECT = "claimed", "archive", "reject"
"""Folders that the adapter keeps inside a place."""

BLOCK = 1024 * 1024
"""Bytes copied at once."""

_NAME = re.compile(r"[^/\\\x00-\x1f\x7f]{1,200}")


class PlaceDownError(RetryableError):
    """The place is out of reach, or did not answer in time."""


class NotNowError(PlaceDownError):
    """The place answered that it cannot, and nothing was done: no space, a file that somebody uses."""


class PlaceError(PermanentError):
    """The place is not as it must be: a folder is missing, may not be written, or is a link."""


class NameTakenError(PlaceError):
    """Another file has the name, or the name cannot be one."""


class GoneError(RetryableError):
    """The file is not there any more: its sender took it back, or somebody else took it."""


class StoppedError(RetryableError):
    """The process was told to stop; it goes on where it was after the next start."""


class TooLargeError(PermanentError):
    """The file is larger than the source's limit."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file as a look at its folder shows it."""

    name: str
    size: int
    modified: float
    """Seconds since the epoch."""
    plain: bool = True
    """A regular file, and no link, pipe or device."""


class Place(Protocol):
    """One folder, here or far away. Paths are names below it, joined by `/`; no link is followed there.

    Every method raises PlaceDownError or PlaceError; those that name a file also GoneError.
    """

    def reach(self) -> None:
        """Look whether the place is there, without listing it."""
        ...

    def entries(self, folder: str = "") -> list[Entry]:
        """Return what lies in a folder and is no folder itself; [] when there is no such folder."""
        ...

    def look(self, path: str) -> Entry | None:
        """Return one file; None when it is not there."""
        ...

    def blocks(self, path: str) -> Iterator[bytes]:
        """Read a regular file."""
        ...

    def move(self, path: str, to: str) -> None:
        """Move a file in one step, over one of that name; the folder that it goes to is made."""
        ...

    def write(self, path: str, body: bytes, temporary: str = "") -> None:
        """Write a file under a temporary name in its folder, by default a hidden one; make it safe on disk,
        give it its name in one step.
        """
        ...

    def remove(self, path: str) -> None:
        """Remove a file; nothing happens when it is not there."""
        ...

    def close(self) -> None:
        """Let go of it; a call that is still under way in another thread ends with PlaceDownError."""
        ...


def safe(name: str) -> bool:
    """Tell whether a name may be used as it is: one name, and no way to another folder."""
    return name not in (".", "..") and _NAME.fullmatch(name) is not None


def hidden(name: str) -> str:
    """Return the name under which a file is written when nobody says another."""
    return f".{name}.tmp"


def steps(path: str) -> list[str]:
    """Split a path. Raises PlaceError for one that leads elsewhere."""
    parts = path.split("/") if path else []
    if not all(safe(part) for part in parts):
        raise PlaceError("a name holds a slash, a control character or is . or ..: it is not used")
    return parts


def copy(place: Place, path: str, into: BinaryIO, limit: int, go_on: Callable[[], bool]) -> int:
    """Copy a file, return its size. Raises TooLargeError, StoppedError, and as Place says."""
    size = 0
    for block in place.blocks(path):
        if not go_on():
            raise StoppedError("told to stop while a file was copied")
        size += len(block)
        if size > limit:
            raise TooLargeError(f"the file is larger than {limit} bytes, the source's file_limit")
        into.write(block)
    return size
