"""Master data as CSV: what a person edits in a spreadsheet, read with every mistake named by its line."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from consortium.terminology.errors import InvalidFileError, Problem
from consortium.terminology.model import FIELDS, Entry, Key, Kind

COMMON = ("owner", "code", "name", "valid_from", "valid_to")
REQUIRED = ("owner", "code", "name", "valid_from")
LONGEST = 500
"""Characters of a cell."""
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


@dataclass(frozen=True, slots=True)
class Rows:
    """What a file says."""

    entries: tuple[Entry, ...]
    columns: frozenset[str]
    """Those it has: what the others say of a period stays as it is recorded."""
    lines: Mapping[Key, int]
    """The line of each entry."""


def columns(kind: Kind) -> tuple[str, ...]:
    """Return the columns of a kind, in the order of an export."""
    return (*COMMON, *(field.name for field in FIELDS[kind]))


def decode(data: bytes, charset: str = "utf-8") -> str:
    """Return a file's text. Raises `InvalidFileError`; what Excel saves in China is often gb18030."""
    try:
        text = data.decode("utf-8-sig" if charset.lower() in ("utf-8", "utf8") else charset)
    except (UnicodeError, LookupError):
        advice = f"the file is not in {charset}; save it as UTF-8, or say its charset, such as gb18030"
        raise InvalidFileError([Problem(1, "", advice)]) from None
    return text


def write(kind: Kind, entries: Iterable[Entry]) -> str:
    """Return entries as CSV; read again they are the same."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns(kind))
    for entry in entries:
        until = entry.valid_to.isoformat() if entry.valid_to else ""
        common = (entry.owner, entry.code, entry.name, entry.valid_from.isoformat(), until)
        writer.writerow((*common, *(entry.attributes.get(field.name, "") for field in FIELDS[kind])))
    return text.getvalue()


def read(kind: Kind, text: str, owners: Sequence[str]) -> Rows:
    """Read CSV; `owners`: campus codes and GROUP. Raises `InvalidFileError` with every mistake.

    The first line names the columns, in any order; a file need not have those that may be empty.
    """
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    problems: list[Problem] = []
    entries: list[Entry] = []
    lines: dict[Key, int] = {}
    header: tuple[str, ...] = ()
    try:
        header = _header(kind, next(reader, []))
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            entry = _row(kind, header, cells, reader.line_num, owners, problems)
            if entry is None:
                continue
            if first := lines.get(entry.key):
                problems.append(
                    Problem(reader.line_num, "code", f"the same code and valid_from are in line {first}")
                )
            lines.setdefault(entry.key, reader.line_num)
            entries.append(entry)
    except csv.Error as error:
        problems.append(Problem(reader.line_num, "", f"not well-formed CSV: {error}"))
    if problems:
        raise InvalidFileError(problems)
    return Rows(tuple(entries), frozenset(header), lines)


def _header(kind: Kind, cells: Sequence[str]) -> tuple[str, ...]:
    names = tuple(cell.strip() for cell in cells)
    known = columns(kind)
    missing = [name for name in REQUIRED if name not in names]
    unknown = [name for name in names if name not in known]
    if missing or unknown or len(set(names)) < len(names):
        wrong = f"missing: {', '.join(missing)}" if missing else "each once, and no other"
        raise InvalidFileError(
            [Problem(1, "", f"the first line must name columns of {','.join(known)}; {wrong}")]
        )
    return names


def _row(
    kind: Kind,
    header: Sequence[str],
    cells: Sequence[str],
    line: int,
    owners: Sequence[str],
    problems: list[Problem],
) -> Entry | None:
    if len(cells) != len(header):
        problems.append(Problem(line, "", f"{len(cells)} columns where there must be {len(header)}"))
        return None
    row = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
    found = [*_texts(kind, row), *_owner(row, owners)]
    since, until = _day(row, "valid_from", found), _day(row, "valid_to", found)
    if since and until and until < since:
        found.append(("valid_to", "is before valid_from; it is the last day in force"))
    problems += [Problem(line, column, message) for column, message in found]
    if found or since is None:
        return None
    attributes = {field.name: text for field in FIELDS[kind] if (text := row.get(field.name))}
    return Entry(kind, row["owner"], row["code"], row["name"], since, until, attributes)


Wrong = tuple[str, str]
"""Column and what is wrong with it."""


def _texts(kind: Kind, row: Mapping[str, str]) -> list[Wrong]:
    found = [(name, "must not be empty") for name in REQUIRED if not row[name]]
    for name, text in row.items():
        if len(text) > LONGEST:
            found.append((name, f"is longer than {LONGEST} characters"))
        if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
            found.append((name, "has a control character in it, such as a line break"))
    for field in FIELDS[kind]:
        text = row.get(field.name, "")
        if field.required and not text:
            found.append((field.name, f"must not be empty: {field.meaning}"))
        if field.choices and text and text not in field.choices:
            found.append((field.name, f"must be one of {', '.join(field.choices)}"))
    return found


def _owner(row: Mapping[str, str], owners: Sequence[str]) -> list[Wrong]:
    owner = row["owner"]
    return [] if not owner or owner in owners else [("owner", f"must be one of {', '.join(owners)}")]


def _day(row: Mapping[str, str], name: str, found: list[Wrong]) -> date | None:
    text = row.get(name, "")
    if not text:
        return None
    try:
        return date.fromisoformat(text if _DAY.fullmatch(text) else "")
    except ValueError:
        found.append((name, "must be a day, written YYYY-MM-DD"))
        return None
