"""A drop folder on this machine or on a file share that is mounted here.

Every file is opened below its folder's descriptor and no link is followed, so that a sender who may write
into the folder cannot lead the adapter out of it.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from adapters.files.place import BLOCK, Entry, GoneError, NotNowError, PlaceError, hidden, steps
from consortium.errors import YilianError

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


class Folder:
    """A `Place` on disk."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def reach(self) -> None:
        """Look whether the folder is there."""
        try:
            with self._opened([]):
                return
        except FileNotFoundError:
            raise self._missing() from None
        except OSError as error:
            raise _told(error) from None

    def entries(self, folder: str = "") -> list[Entry]:
        """Return what lies in a folder and is no folder itself."""
        try:
            with self._opened(steps(folder)) as at, os.scandir(at) as found:
                looked = [_entry(each.name, each.stat(follow_symlinks=False)) for each in found]
        except FileNotFoundError:
            if folder:
                return []
            raise self._missing() from None
        except OSError as error:
            raise _told(error) from None
        return [entry for entry in looked if entry]

    def look(self, path: str) -> Entry | None:
        """Return one file; None when it is not there."""
        *above, name = steps(path)
        try:
            with self._opened(above) as at:
                return _entry(name, os.stat(name, dir_fd=at, follow_symlinks=False))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _told(error) from None

    def blocks(self, path: str) -> Iterator[bytes]:
        """Read a regular file."""
        *above, name = steps(path)
        try:
            with self._opened(above) as at, os.fdopen(os.open(name, _READ, dir_fd=at), "rb", 0) as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise PlaceError("not a regular file")
                while block := file.read(BLOCK):
                    yield block
        except OSError as error:
            raise _told(error) from None

    def move(self, path: str, to: str) -> None:
        """Move a file in one step, over one of that name."""
        *above, name = steps(path)
        *target, new = steps(to)
        try:
            with self._opened(above) as source, self._opened(target, make=True) as destination:
                os.replace(name, new, src_dir_fd=source, dst_dir_fd=destination)
                os.fsync(destination)
        except OSError as error:
            raise _told(error) from None

    def write(self, path: str, body: bytes, temporary: str = "") -> None:
        """Write a file under a temporary name, make it safe on disk, give it its name in one step."""
        *above, name = steps(path)
        try:
            with self._opened(above, make=True) as at:
                self._write(at, temporary or hidden(name), name, body)
        except OSError as error:
            raise _told(error) from None

    def remove(self, path: str) -> None:
        """Remove a file; nothing happens when it is not there."""
        *above, name = steps(path)
        try:
            with suppress(FileNotFoundError), self._opened(above) as at:
                os.unlink(name, dir_fd=at)
        except OSError as error:
            raise _told(error) from None

    def close(self) -> None:
        """Nothing is held open between two calls."""

    def _missing(self) -> PlaceError:
        return PlaceError(f"there is no folder {self._root}: make it, or mend file_places")

    @staticmethod
    def _write(at: int, temporary: str, name: str, body: bytes) -> None:
        try:
            with os.fdopen(os.open(temporary, _WRITE, 0o640, dir_fd=at), "wb") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, name, src_dir_fd=at, dst_dir_fd=at)
            os.fsync(at)
        except OSError:
            with suppress(OSError):  # the first error is the one to tell
                os.unlink(temporary, dir_fd=at)
            raise

    @contextmanager
    def _opened(self, folders: list[str], *, make: bool = False) -> Iterator[int]:
        # The root itself may be a link: it is the engineer's, not the sender's.
        at = os.open(self._root, _FOLDER & ~os.O_NOFOLLOW)
        try:
            for name in folders:
                if make:
                    with suppress(FileExistsError):
                        os.mkdir(name, 0o750, dir_fd=at)
                inner = os.open(name, _FOLDER, dir_fd=at)
                os.close(at)
                at = inner
            yield at
        finally:
            os.close(at)


def _entry(name: str, found: os.stat_result) -> Entry | None:
    if stat.S_ISDIR(found.st_mode):
        return None
    return Entry(name, found.st_size, found.st_mtime, stat.S_ISREG(found.st_mode))


def _told(error: OSError) -> YilianError:
    # An OSError's text quotes the path, and a file's name may be that of a patient.
    what = os.strerror(error.errno) if error.errno else type(error).__name__
    match error:
        case FileNotFoundError():
            return GoneError("the file or its folder is gone")
        case PermissionError():
            return PlaceError("the folder does not let us: give the right to read and write")
        case NotADirectoryError() | IsADirectoryError():
            return PlaceError(f"a link, file or folder stands where another belongs: {what}; remove it")
    if error.errno == errno.ELOOP:
        return PlaceError("a link stands where a file or folder belongs; it is not followed: remove it")
    return NotNowError(f"the folder cannot be used: {what}")
