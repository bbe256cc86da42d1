"""Takes all documents of one person out into a folder: a file each, and a table of them.

For copies of a record (病历复印), an archive, a move to another platform. It may be stopped and run again:
what is there and whole is left as it is.
"""

from __future__ import annotations

import csv
import hashlib
import mimetypes
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass, field, fields
from datetime import datetime
from functools import partial
from pathlib import Path
from uuid import UUID

import sqlalchemy as sa

from consortium.documents import recorded
from consortium.documents.content import ContentStore, CorruptContentError
from consortium.documents.model import Availability
from consortium.errors import PermanentError
from consortium.records import query
from consortium.records.query import Row, Search

TABLE = "index.csv"
PAGE = 200
_SHARED = sa.text(
    "SELECT e.unique_id, e.organisation, coalesce(e.creation_time, e.registered_at) AS at, e.status,"
    " e.type_code, coalesce(e.metadata->>'title', '') AS title, e.metadata->>'mime_type' AS mime_type,"
    " s.sha256"
    " FROM documents.entry e LEFT JOIN documents.stored s"
    " ON s.unique_id = e.unique_id AND s.repository = e.repository_unique_id"
    " WHERE e.patient_id = ANY(CAST(:patients AS bigint[]))"
)
_ELSEWHERE = "stays at its campus"
_LOST = "missing or damaged in the store"
_EMPTY = "came without content"


@dataclass(frozen=True, slots=True)
class Line:
    """One document, as the table has it."""

    file: str
    """Empty: there is none, and `problem` says why."""
    at: datetime
    campus: str
    number: str
    """By which the campus knows it; a shared one's uniqueId."""
    type: str
    title: str
    status: str
    """current, or replaced."""
    mime_type: str
    bytes: int
    sha256: str
    problem: str


@dataclass
class Exported:
    """What was taken out."""

    documents: int = 0
    files: int = 0
    bytes: int = 0
    without: list[str] = field(default_factory=list)
    """Numbers of documents that there is no file of: the table says why."""


@dataclass(frozen=True, slots=True)
class _Found:
    at: datetime
    campus: str
    number: str
    type: str
    title: str
    current: bool
    mime_type: str
    sha256: bytes | None
    absent: str
    """Why, where there is no digest."""
    read: Callable[[], bytes | None]


def export(
    connection: sa.Connection, store: ContentStore, person: UUID, folder: Path, *, replaced: bool = False
) -> Exported:
    """Write the documents that the bus recorded and those that were shared; `replaced`: also what others
    replace. The engine was made with the store (`consortium.records.query.STORE`).

    Raises:
        PermanentError: the folder holds other things, or cannot be written.
        StoreAwayError: run it again.
    """
    _prepare(folder)
    found = sorted(
        (one for one in _found(connection, store, person) if one.current or replaced),
        key=lambda one: (one.at, one.number),
    )
    done, lines = Exported(len(found)), list[Line]()
    for place, one in enumerate(found, 1):
        line = _written(one, folder, f"{place:04}-{one.at:%Y%m%d}") if one.sha256 else _line(one)
        lines.append(line)
        done.files += bool(line.file)
        done.bytes += line.bytes
        done.without += [] if line.file else [one.number]
    _write_table(folder, lines)
    return done


def _prepare(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        others = any(folder.iterdir()) and not (folder / ".yilian-export").exists()
        if not others:
            (folder / ".yilian-export").touch(mode=0o600)
    except OSError as error:
        raise PermanentError(f"{folder} cannot be written: {error.strerror}") from error
    if others:
        raise PermanentError(
            f"{folder} holds other files: give a new folder", zh=f"{folder} 中已有其他文件：请指定新的文件夹"
        )


def _found(connection: sa.Connection, store: ContentStore, person: UUID) -> Iterator[_Found]:
    for row, current in _recorded(connection, person):
        number, type_ = row["number"], row["type_name"] or row["type_code"] or ""
        read = partial(_content, connection, row["id"])
        yield _Found(
            *(row["at"], row["facility"], number, type_, row["title"] or "", current),
            *(row["mime_type"] or "", row["content_sha256"], _EMPTY, read),
        )
    patients = list(query.patients_of(connection, person))
    for one in connection.execute(_SHARED, {"patients": patients}):
        yield _Found(
            *(one.at, one.organisation, one.unique_id, one.type_code, one.title, one.status == "approved"),
            *(one.mime_type, one.sha256, _ELSEWHERE, partial(store.get, bytes(one.sha256 or b""))),
        )


def _content(connection: sa.Connection, id_: UUID) -> bytes | None:
    found = query.content(connection, id_)
    return found.data if found else None


def _recorded(connection: sa.Connection, person: UUID) -> Iterator[tuple[Row, bool]]:
    """Return the records, and whether each is current."""
    after: str | None = None
    while True:
        page = query.documents(connection, Search(person=person, limit=PAGE, after=after))
        replaced = recorded.replaced(connection, page.rows)
        for row in page.rows:
            yield row, recorded.availability(row, replaced) is Availability.APPROVED
        after = page.after
        if after is None:
            return


def _written(one: _Found, folder: Path, name: str) -> Line:
    sha256 = bytes(one.sha256 or b"")
    file = folder / f"{name}-{sha256.hex()[:12]}{_suffix(one.mime_type)}"
    whole = _there(file)
    if whole is not None and hashlib.sha256(whole).digest() == sha256:
        return _line(one, file.name, len(whole))
    try:
        data = one.read()
    except CorruptContentError:
        data = None
    if data is None:
        return _line(one, problem=_LOST)
    unfinished = file.with_name(f"{file.name}.part")
    try:
        unfinished.touch(mode=0o600)
        unfinished.write_bytes(data)
        unfinished.replace(file)
    except OSError as error:
        raise PermanentError(f"{folder} cannot be written: {error.strerror}") from error
    return _line(one, file.name, len(data))


def _there(file: Path) -> bytes | None:
    try:
        return file.read_bytes() if file.exists() else None
    except OSError as error:
        raise PermanentError(f"{file} cannot be read: {error.strerror}") from error


def _line(one: _Found, file: str = "", size: int = 0, problem: str = "") -> Line:
    status, sha256 = "current" if one.current else "replaced", (one.sha256 or b"").hex()
    said = (one.at, one.campus, one.number, one.type, one.title, status, one.mime_type)
    return Line(file, *said, size, sha256, "" if file else problem or one.absent)


def _suffix(mime_type: str) -> str:
    return mimetypes.guess_extension(mime_type.partition(";")[0].strip().lower()) or ".bin"


def _write_table(folder: Path, lines: Sequence[Line]) -> None:
    """Write the table as spreadsheets read it: UTF-8 with its mark, nothing that is taken for a formula."""
    try:
        (folder / TABLE).touch(mode=0o600)
        with (folder / TABLE).open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(each.name for each in fields(Line))
            writer.writerows([_cell(value) for value in astuple(line)] for line in lines)
    except OSError as error:
        raise PermanentError(f"{folder} cannot be written: {error.strerror}") from error


def _cell(value: object) -> object:
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
