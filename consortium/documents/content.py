"""Where the bytes of documents lie: outside the row store, named by their SHA-256, compressed.

One interface; a folder (this module), an S3-compatible store (`objects`) and PostgreSQL (`rows`) behind it.
Content is written before the row that names it is committed, so a row never names what is not there; what no
row names is an orphan, swept later (`upkeep`).
"""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Protocol

from consortium.errors import PermanentError, RetryableError

_LEVEL = 6
SUFFIX = ".gz"
_UNFINISHED = ".part"


class CorruptContentError(PermanentError):
    """What lies in the store is not what was put there."""


class StoreAwayError(RetryableError):
    """The store does not answer, or has no room."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One content in a store."""

    sha256: bytes
    size: int
    """Bytes it takes in the store."""
    written_at: datetime


class ContentStore(Protocol):
    """Contents by their SHA-256. Safe to use from many threads and processes."""

    def put(self, sha256: bytes, data: bytes) -> None:
        """Keep a content; durable when this returns, and no second copy where it is there already.

        Raises StoreAwayError.
        """
        ...

    def get(self, sha256: bytes) -> bytes | None:
        """Return a content; None: it is not there. Raises CorruptContentError, StoreAwayError."""
        ...

    def has(self, sha256: bytes) -> bool:
        """Tell whether a content is there, without reading it. Raises StoreAwayError."""
        ...

    def all(self) -> Iterator[Kept]:
        """Walk through everything that is there. Raises StoreAwayError."""
        ...

    def remove(self, sha256: bytes) -> None:
        """Remove a content that no row names. Raises StoreAwayError."""
        ...

    def remove_unfinished(self, before: datetime) -> int:
        """Remove what a crash left half written before that time; return how many."""
        ...


def packed(data: bytes) -> bytes:
    """Compress a content, as gzip so that any tool opens it; stored as it is where that is no smaller."""
    made = gzip.compress(data, _LEVEL, mtime=0)
    return made if len(made) < len(data) else gzip.compress(data, 0, mtime=0)


def unpacked(sha256: bytes, kept: bytes) -> bytes:
    """Return a content. Raises CorruptContentError when it is not what its name says."""
    try:
        data = gzip.decompress(kept)
    except (OSError, EOFError, zlib.error) as error:
        raise _corrupt(sha256) from error
    if hashlib.sha256(data).digest() != sha256:
        raise _corrupt(sha256)
    return data


def key_of(sha256: bytes) -> str:
    """Return where a content lies below the store's root: two levels of folders keep each of them small."""
    name = sha256.hex()
    return f"{name[:2]}/{name[2:4]}/{name}{SUFFIX}"


def named(name: str) -> bytes | None:
    """Return the SHA-256 that a file's name says; None: it is none of ours."""
    stem = name.removesuffix(SUFFIX)
    try:
        found = bytes.fromhex(stem)
    except ValueError:
        return None
    return found if name.endswith(SUFFIX) and len(found) == 32 else None


def _corrupt(sha256: bytes) -> CorruptContentError:
    return CorruptContentError(
        f"the content {sha256.hex()} is damaged in the store: restore it from the backup; ./yilian documents"
        " check tells which others are"
    )


class FolderStore:
    """A folder: each content a file, written beside its place, synced, and renamed into it."""

    def __init__(self, root: Path, *, own: bool = False) -> None:
        """`own`: the folder is made where it is not there; another one may be a disk that is not mounted."""
        self._root = root
        self._own = own

    def put(self, sha256: bytes, data: bytes) -> None:
        """As `ContentStore.put`."""
        place = self._root / key_of(sha256)
        if self.has(sha256):
            return
        try:
            self._make_folder(place.parent)
            self._write(place, packed(data))
        except OSError as error:
            raise _away(self._root, error) from error

    def get(self, sha256: bytes) -> bytes | None:
        """As `ContentStore.get`."""
        try:
            kept = (self._root / key_of(sha256)).read_bytes()
        except FileNotFoundError:
            self.has(sha256)  # a content that is missing is told from a disk that is
            return None
        except OSError as error:
            raise _away(self._root, error) from error
        return unpacked(sha256, kept)

    def has(self, sha256: bytes) -> bool:
        """As `ContentStore.has`."""
        try:
            return (self._root / key_of(sha256)).exists() or not self._present()
        except OSError as error:
            raise _away(self._root, error) from error

    def all(self) -> Iterator[Kept]:
        """As `ContentStore.all`."""
        self._present()
        for folder in sorted(self._root.glob("??/??")):
            for path in sorted(folder.iterdir()):
                sha256 = named(path.name)
                if sha256 is not None:
                    yield Kept(sha256, path.stat().st_size, _written_at(path))

    def remove(self, sha256: bytes) -> None:
        """As `ContentStore.remove`."""
        try:
            (self._root / key_of(sha256)).unlink(missing_ok=True)
        except OSError as error:
            raise _away(self._root, error) from error

    def remove_unfinished(self, before: datetime) -> int:
        """As `ContentStore.remove_unfinished`."""
        old = [path for path in self._root.glob(f"??/??/*{_UNFINISHED}") if _written_at(path) < before]
        for path in old:
            path.unlink(missing_ok=True)
        return len(old)

    def _present(self) -> bool:
        """Tell a content that is missing from a disk that is."""
        if self._own:
            self._root.mkdir(parents=True, exist_ok=True)
        elif not self._root.exists():
            raise StoreAwayError(
                f"the documents' store {self._root} is not there: mount it, or make the folder"
            )
        return True

    def _write(self, place: Path, kept: bytes) -> None:
        with NamedTemporaryFile(dir=place.parent, suffix=_UNFINISHED, delete=False) as file:
            try:
                file.write(kept)
                file.flush()
                os.fsync(file.fileno())
                Path(file.name).replace(place)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
        _sync(place.parent)

    def _make_folder(self, folder: Path) -> None:
        """Make the folders down to this one, each one's entry durable."""
        missing = [one for one in (folder, *folder.parents) if not one.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        for one in missing:
            _sync(one.parent)


def _written_at(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _away(root: Path, error: OSError) -> StoreAwayError:
    return StoreAwayError(f"the documents' store {root} cannot be used: {error.strerror}")
