"""Reads code tables from CSV, and names every mistake by file, line and column."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from bus.rules.codes import INVERSE, CodeTable, Key, Target, in_turn, overlap
from bus.rules.marks import Place, RuleError

COLUMNS = ("facility", "code", "target", "name", "system")
OPTIONAL = ("valid_from", "valid_to", "relationship", "owner")
"""Columns that may follow, in any order."""


def load_tables(rules_dir: Path, errors: list[RuleError]) -> dict[str, CodeTable]:
    """Read `codes/*.csv`, `campuses/*/codes/*.csv`: files of one name are one table.

    The first mistake of each file is added to `errors`, and the file is read no further.
    """
    tables: dict[str, dict[Key, list[Target]]] = {}
    for file in _files(rules_dir):
        table = tables.setdefault(file.stem, {})
        try:
            _File(str(file.relative_to(rules_dir)), table).read(file)
        except RuleError as error:
            errors.append(error)
    return {name: _table(name, found) for name, found in tables.items()}


def _files(rules_dir: Path) -> Iterable[Path]:
    yield from sorted((rules_dir / "codes").glob("*.csv"))
    yield from sorted((rules_dir / "campuses").glob("*/codes/*.csv"))


def _table(name: str, found: dict[Key, list[Target]]) -> CodeTable:
    always = {key: said[0] for key, said in found.items() if len(said) == 1 and not said[0].dated}
    dated = {key: in_turn(said) for key, said in found.items() if key not in always}
    return CodeTable(name, always, dated=dated)


@dataclass(slots=True)
class _File:
    """One file on its way into a table."""

    shown: str
    table: dict[Key, list[Target]]
    columns: tuple[str, ...] = ()
    lines: list[str] = field(default_factory=list)
    """The lines of the row that is read, as they are written."""
    number: int = 1
    """The line on which that row begins."""

    def read(self, file: Path) -> None:
        """Take every row in. Raises `RuleError` at the first mistake."""
        with file.open(encoding="utf-8-sig", newline="") as text:
            reader = csv.reader(self._noted(text), strict=True)
            try:
                self._header(next(reader, []))
                self._next(reader.line_num)
                for row in reader:
                    self._add(row)
                    self._next(reader.line_num)
            except csv.Error as error:
                place = Place(reader.line_num)
                raise RuleError(self.shown, place, f"not well-formed CSV: {error}", "bad-csv") from error
            except UnicodeDecodeError as error:
                reason = "not UTF-8: save the file as UTF-8"
                raise RuleError(self.shown, Place(1), reason, "bad-csv") from error

    def _noted(self, text: Iterable[str]) -> Iterator[str]:
        for line in text:
            self.lines.append(line)
            yield line

    def _next(self, line: int) -> None:
        self.number = line + 1
        self.lines.clear()

    def _header(self, header: list[str]) -> None:
        more = header[len(COLUMNS) :]
        known = all(name in OPTIONAL for name in more) and len(set(more)) == len(more)
        if tuple(header[: len(COLUMNS)]) != COLUMNS or not known:
            reason = f"the first line must be {','.join(COLUMNS)}, and may go on with {', '.join(OPTIONAL)}"
            raise RuleError(self.shown, Place(1), reason, "bad-csv")
        self.columns = tuple(header)

    def _add(self, row: list[str]) -> None:
        if len(row) != len(self.columns):
            raise self._wrong(f"{len(row)} columns where there must be {len(self.columns)}")
        cells = {name: cell.strip() for name, cell in zip(self.columns, row, strict=True)}
        key = cells["facility"], cells["code"]
        if not all(key) or not cells["target"]:
            raise self._wrong("facility, code and target must not be empty")
        target = self._target(cells)
        said = self.table.setdefault(key, [])
        self._fits(key, said, target)
        said.append(target)

    def _target(self, cells: dict[str, str]) -> Target:
        begins, ends = self._day(cells, "valid_from"), self._day(cells, "valid_to")
        if begins and ends and ends < begins:
            raise self._wrong(f"it ends on {ends}, before it begins on {begins}", "bad-period", "valid_to")
        relationship = cells.get("relationship") or None
        if relationship is not None and relationship not in INVERSE:
            reason = f"{relationship!r} is no relationship: write {', '.join(INVERSE)}"
            raise self._wrong(reason, "unknown-word", "relationship")
        return Target(
            cells["target"],
            cells["name"] or None,
            cells["system"] or None,
            begins,
            ends,
            relationship,
            cells.get("owner") or None,
        )

    def _day(self, cells: dict[str, str], column: str) -> date | None:
        text = cells.get(column, "")
        try:
            return date.fromisoformat(text) if text else None
        except ValueError as error:
            reason = f"{column} {text!r} is no day: write it as 2026-01-31"
            raise self._wrong(reason, "bad-period", column) from error

    def _fits(self, key: Key, said: list[Target], target: Target) -> None:
        what = " ".join(key)
        if any(one.valid_from == target.valid_from for one in said):
            again = f" from {target.valid_from}" if target.valid_from else ""
            raise self._wrong(f"{what} is in this table twice{again}", "duplicate-code", "code")
        if pair := overlap(in_turn([*said, target])):
            one, other = pair
            reason = f"{what} holds to {one.valid_to}, and again from {other.valid_from}: end it before"
            raise self._wrong(reason, "bad-period", "valid_from" if "valid_from" in self.columns else "code")

    def _wrong(self, message: str, code: str = "bad-csv", column: str = "") -> RuleError:
        place = Place(self.number)
        if column:
            place = _place("".join(self.lines), self.number, self.columns.index(column))
        return RuleError(self.shown, place, message, code)


def _place(text: str, line: int, cell: int) -> Place:
    """Return where a cell of a row begins, by its written text; both count from 1."""
    quoted, column = False, 1
    for mark in text:
        if cell == 0:
            break
        column += 1
        if mark == '"':
            quoted = not quoted
        elif mark == "," and not quoted:
            cell -= 1
        elif mark == "\n":
            line, column = line + 1, 1
    return Place(line, column)
