"""Rows of a CSV file, one after the other, whatever its size.

Lines are cut on bytes (no character of the charsets that are read holds a CR or LF), decoded strictly each,
and then given to the csv module, so that a row that cannot be read takes none of its neighbours along.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from adapters.files.records import Bad, FileError, Piece
from adapters.files.settings import Csv
from bus.hl7.charset import decode
from bus.hl7.problem import HL7Error

MOST_LINES = 2000
"""Lines of one record; a quote that is not closed would take the rest of the file."""
_FIELD = 2**31 - 1
"""Characters of one field: the record's limit bounds it."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row under its columns' names."""

    line: int
    columns: Mapping[str, str]
    raw: bytes


class _TooLongError(Exception):
    """A line is longer than a record may be."""


class _Lines:
    """Physical lines with their ends; some may be put back."""

    def __init__(self, stream: BinaryIO, limit: int) -> None:
        self._stream = stream
        self._limit = limit
        self._back: list[bytes] = []
        self.number = 0
        """Lines taken."""

    def next(self) -> bytes:
        """Return the next line, b"" at the end; raises _TooLongError and skips it."""
        line = self._back.pop() if self._back else self._stream.readline(self._limit + 1)
        self.number += bool(line)
        if len(line) > self._limit:
            while line and not line.endswith(b"\n"):
                line = self._stream.readline(self._limit)
            raise _TooLongError
        return line

    def put_back(self, lines: list[bytes]) -> None:
        """Give these again, the first first."""
        self._back.extend(reversed(lines))
        self.number -= len(lines)


class _Reader:
    """Records of fields, without their names."""

    def __init__(self, stream: BinaryIO, told: Csv, limit: int) -> None:
        self._lines = _Lines(stream, limit)
        self._limit = limit
        self._codec = told.codec
        self._dialect: dict[str, Any] = {
            "delimiter": told.delimiter,
            "quotechar": told.quote,
            "quoting": csv.QUOTE_MINIMAL if told.quote else csv.QUOTE_NONE,
            "escapechar": told.escape,
            "doublequote": told.escape is None,
            "strict": True,
        }

    def next(self) -> tuple[int, bytes, list[str]] | Bad | None:
        """Return (line, raw, fields) of the next record, [] for an empty line; None at the end."""
        first, taken, damaged = self._lines.number + 1, list[bytes](), list[str]()
        try:
            fields = next(csv.reader(self._texts(taken, damaged), **self._dialect))
        except StopIteration:
            return None
        except _TooLongError:
            self._lines.put_back(taken[1:])
            return Bad(
                first, "too_large", f"the record is longer than {self._limit} bytes", b"".join(taken[:1])
            )
        except csv.Error as error:
            self._lines.put_back(taken[1:])
            return Bad(first, "malformed_row", _why(error), taken[0])
        raw = b"".join(taken)
        if damaged:
            return Bad(first, "wrong_charset", f"{damaged[0]}; check the source's charset", raw)
        if "\0" in "".join(fields):
            return Bad(first, "nul_character", "the row holds a NUL, which no text may", raw)
        return first, raw, fields

    def _texts(self, taken: list[bytes], damaged: list[str]) -> Iterator[str]:
        size = 0
        while len(taken) < MOST_LINES and (line := self._lines.next()):
            taken.append(line)
            size += len(line)
            if size > self._limit:
                raise _TooLongError
            yield self._text(line, damaged)

    def _text(self, line: bytes, damaged: list[str]) -> str:
        # What cannot be decoded is still split, to find where the record ends.
        try:
            text = decode(line, self._codec)
        except HL7Error as error:
            damaged.append(error.reason.partition(";")[0])
            text = line.decode(self._codec, "replace")
        return text.removeprefix("\ufeff") if self._lines.number == 1 else text


def _why(error: csv.Error) -> str:
    told = str(error)
    if "end of data" in told:
        return "a quote is opened and not closed"
    if "new-line" in told:
        return "a carriage return stands in a value without quotes; end lines with LF or CR LF"
    return "characters follow a closing quote; write a quote inside a value twice"


def read_rows(stream: BinaryIO, told: Csv, needed: tuple[str, ...], limit: int) -> Iterator[Row | Bad]:
    """Read the rows of a file. `limit`: bytes of one record. Raises FileError for a wrong header."""
    csv.field_size_limit(_FIELD)
    reader = _Reader(stream, told, limit)
    names = _names(reader, told, needed)
    while (found := reader.next()) is not None:
        if isinstance(found, Bad):
            yield found
            continue
        line, raw, fields = found
        if fields and len(fields) != len(names):
            reason = f"the row has {len(fields)} fields, and the file {len(names)} columns"
            yield Bad(line, "wrong_number_of_fields", reason, raw)
        elif fields:
            yield Row(line, dict(zip(names, fields, strict=True)), raw)


def _names(reader: _Reader, told: Csv, needed: tuple[str, ...]) -> list[str]:
    names = _header(reader) if told.header else list(told.columns)
    if told.columns and len(names) != len(told.columns):
        reason = f"the header has {len(names)} columns; the source describes {len(told.columns)}"
        raise FileError("wrong_header", reason)
    names = list(told.columns) or names
    if len(set(names)) < len(names):
        raise FileError("wrong_header", "two columns have the same name; name them in the source's columns")
    missing = [name for name in needed if name not in names]
    if missing:
        raise FileError("missing_column", f"the file has no column {', '.join(missing)}; it has {len(names)}")
    return names


def _header(reader: _Reader) -> list[str]:
    while (found := reader.next()) is not None:
        if isinstance(found, Bad):
            raise FileError("wrong_header", f"the header cannot be read: {found.reason}")
        if found[2]:
            return [name.strip() for name in found[2]]
    raise FileError("wrong_header", "the file has no header")


def piece(row: Row) -> Piece:
    """Return a row as a record: its columns as JSON, nothing corrected."""
    return Piece(row.line, encode(row.columns), "utf-8", lambda name: row.columns.get(name) or None, row.raw)


def encode(value: Mapping[str, Any]) -> bytes:
    """Write a JSON object in its one canonical form: the digest is made of it."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
