"""Files out: a message written to a folder or an SFTP directory, whole or not at all.

with opened(settings.file_places["ns_results"]) as place:
    write_file(place, "20261124-17.hl7", body)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from adapters.files.folder import Folder
from adapters.files.place import NameTakenError, Place, hidden, safe
from consortium.errors import PermanentError
from runtime.settings import FilePlace

NAME_MAX = 255
"""Bytes of a name that every file system takes."""


def open_place(place: FilePlace) -> Place:
    """Return the place that a setting describes; it connects when asked. Raises PermanentError."""
    if place.url.startswith("sftp:"):
        # Only who exchanges files over SFTP pays for its library's memory.
        from adapters.files.sftp import Sftp

        return Sftp(place)
    path = Path(place.url.removeprefix("file://"))
    if not path.is_absolute():
        raise PermanentError(
            f"{place.url!r}: write the whole path of a folder, or sftp://user@host:22/folder"
        )
    return Folder(path)


@contextmanager
def opened(place: FilePlace) -> Iterator[Place]:
    """Open a place for a `with` block. Raises PermanentError."""
    with closing(open_place(place)) as found:
        yield found


def write_file(place: Place, name: str, body: bytes, temporary: str = "") -> bool:
    """Write a file under a name of its own, so that its reader sees all of it or nothing.

    Safe to repeat: where a file of that name and content lies already, nothing is written and False is
    returned. So derive the name from the message (its id), and a redelivery has no second effect. Returns
    after the content is safe on disk and has its name. `temporary` is the name under which it is written,
    by default a hidden one. Blocks: call it in a thread. Raises PlaceDownError (try again) and PlaceError (a
    person is needed: the place is wrong, or NameTakenError: another file has the name).
    """
    if not safe(name) or name.startswith(".") or len((temporary or hidden(name)).encode()) > NAME_MAX:
        raise NameTakenError(
            "a file's name is one name without a slash, begins with no dot, and is not too long"
        )
    if place.look(name) is not None:
        if lies(place, name, body):
            return False
        raise NameTakenError("another file of that name lies there: it is not written over")
    place.write(name, body, temporary)
    return True


def lies(place: Place, name: str, body: bytes) -> bool:
    """Whether a file of that name and content lies there. Blocks, and raises as Place says."""
    found = place.look(name)
    return found is not None and found.plain and found.size == len(body) and _same(place, name, body)


def _same(place: Place, name: str, body: bytes) -> bool:
    at = 0
    for block in place.blocks(name):
        if body[at : at + len(block)] != block:
            return False
        at += len(block)
    return at == len(body)
