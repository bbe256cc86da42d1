"""Code tables: a campus's codes to the consortium's, in CSV that people edit."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bus.rules.marks import Place, RuleError

COLUMNS = ("facility", "code", "target", "name", "system")
ANY = "*"
"""Facility of a row that is for every campus."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a code means in the consortium."""

    code: str
    name: str | None
    system: str | None


@dataclass(frozen=True, slots=True)
class CodeTable:
    """One table, from all its files."""

    name: str
    rows: Mapping[tuple[str, str], Target]
    added: dict[tuple[str, str], Target] = field(default_factory=dict)
    """What people mapped since the files were read; see `bus.rules.additions`."""

    def find(self, facility: str, code: str) -> Target | None:
        """Return the target of a campus's code: its row in a file, what was mapped since, a row for all."""
        key = (facility, code)
        return self.rows.get(key) or self.added.get(key) or self.rows.get((ANY, code))


def load_tables(rules_dir: Path, errors: list[RuleError]) -> dict[str, CodeTable]:
    """Read `codes/*.csv`, `campuses/*/codes/*.csv`: files of one name are one table.

    The first mistake of each file is added to `errors`, and the file is read no further.
    """
    rows: dict[str, dict[tuple[str, str], Target]] = {}
    for file in _files(rules_dir):
        try:
            _read(file, str(file.relative_to(rules_dir)), rows.setdefault(file.stem, {}))
        except RuleError as error:
            errors.append(error)
    return {name: CodeTable(name, table) for name, table in rows.items()}


def _files(rules_dir: Path) -> Iterable[Path]:
    yield from sorted((rules_dir / "codes").glob("*.csv"))
    yield from sorted((rules_dir / "campuses").glob("*/codes/*.csv"))


def _read(file: Path, shown: str, table: dict[tuple[str, str], Target]) -> None:
    with file.open(encoding="utf-8-sig", newline="") as text:
        reader = csv.reader(text, strict=True)
        try:
            if tuple(next(reader, [])) != COLUMNS:
                raise RuleError(shown, Place(1), f"the first line must be {','.join(COLUMNS)}", "bad-csv")
            for row in reader:
                _add(row, shown, reader.line_num, table)
        except csv.Error as error:
            place = Place(reader.line_num)
            raise RuleError(shown, place, f"not well-formed CSV: {error}", "bad-csv") from error
        except UnicodeDecodeError as error:
            raise RuleError(shown, Place(1), "not UTF-8: save the file as UTF-8", "bad-csv") from error


def _add(row: list[str], shown: str, line: int, table: dict[tuple[str, str], Target]) -> None:
    def wrong(message: str, code: str = "bad-csv") -> RuleError:
        return RuleError(shown, Place(line), message, code)

    if len(row) != len(COLUMNS):
        raise wrong(f"{len(row)} columns where there must be {len(COLUMNS)}")
    facility, code, target, name, system = (cell.strip() for cell in row)
    if not facility or not code or not target:
        raise wrong("facility, code and target must not be empty")
    if (facility, code) in table:
        raise wrong(f"{facility} {code} is in this table twice", "duplicate-code")
    table[facility, code] = Target(target, name or None, system or None)
