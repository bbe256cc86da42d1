"""Rows that travel together: consecutive rows with the same values in some columns are one record.

A row that cannot be read may have belonged to the record before or to the one after it, so neither is taken:
half a lab report is worse than one that is late.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b

from adapters.files.records import Bad, FileError, Piece
from adapters.files.rows import Row, encode
from adapters.files.settings import Group

MOST = 1_000_000
"""Groups in one file: so many are remembered, to find one that is scattered."""


class _Collected:
    """The rows of one group."""

    def __init__(self, values: tuple[str, ...], row: Row, *, damaged: bool) -> None:
        self.values = values
        self.rows = [row]
        self.size = len(row.raw)
        self.damaged = damaged

    def add(self, row: Row, limit: int) -> None:
        """Add a row; rows beyond the limit are not kept, which damages the group."""
        self.size += len(row.raw)
        if self.size > limit:
            self.damaged = True
        else:
            self.rows.append(row)


def grouped(rows: Iterable[Row | Bad], group: Group, limit: int) -> Iterator[Piece | Bad]:
    """Put rows together. `limit`: bytes of one record. Raises FileError when a group's rows are scattered."""
    current: _Collected | None = None
    seen: set[int] = set()
    after_bad = False
    for row in rows:
        if isinstance(row, Bad):
            after_bad = True
            if current:
                current.damaged = True
            yield row
            continue
        values = tuple(row.columns[name] for name in group.by)
        if current and current.values == values:
            current.add(row, limit)
        else:
            if current:
                yield _piece(current, group, limit)
            _remember(seen, values, row.line)
            current = _Collected(values, row, damaged=after_bad)
        after_bad = False
    if current:
        yield _piece(current, group, limit)


def _remember(seen: set[int], values: tuple[str, ...], line: int) -> None:
    mark = int.from_bytes(blake2b("\0".join(values).encode(), digest_size=8).digest())
    if mark in seen:
        reason = f"line {line}: rows of one record are scattered over the file; sort it by {{}}"
        raise FileError("scattered_rows", reason.replace("{}", "the columns of group.by"))
    if len(seen) >= MOST:
        raise FileError(
            "too_many_groups", f"the file holds more than {MOST} records of grouped rows; split it"
        )
    seen.add(mark)


def _piece(collected: _Collected, group: Group, limit: int) -> Piece | Bad:
    first = collected.rows[0]
    raw = b"".join(row.raw for row in collected.rows)
    if collected.size > limit:
        return Bad(first.line, "too_large", f"the rows of the record are more than {limit} bytes", raw)
    if collected.damaged:
        reason = "a row beside it was refused and may belong to it; send the record's rows again together"
        return Bad(first.line, "damaged_record", reason, raw)
    body = encode({**first.columns, group.as_: [row.columns for row in collected.rows]})
    return Piece(first.line, body, "utf-8", lambda name: first.columns.get(name) or None, raw)
