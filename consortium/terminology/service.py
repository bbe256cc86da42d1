"""Importing master data in the caller's transaction, and reading it as of a day."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from consortium.terminology import csv_form, store
from consortium.terminology.csv_form import Rows
from consortium.terminology.decide import Plan, completed, dangling, misfits, plan, references
from consortium.terminology.errors import InvalidFileError
from consortium.terminology.model import Entry, Key, Kind, Recorded


@dataclass(frozen=True, slots=True)
class Import:
    """A file as somebody gives it."""

    kind: Kind
    source: str
    """Its name, or who sent it."""
    text: str


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import does, or did."""

    plan: Plan
    recorded: Sequence[Recorded]
    """What was written; empty for a dry run and when nothing is new."""


def read(what: Import, owners: Sequence[str]) -> Rows:
    """Read a file. Raises `InvalidFileError`."""
    return csv_form.read(what.kind, what.text, owners)


def take_in(
    connection: sa.Connection, what: Import, rows: Rows, *, by: str, dry_run: bool = False
) -> Imported:
    """Compare with what is recorded, check, and record what is new. The same again records nothing.

    Raises `InvalidFileError` naming every period that overlaps and every reference to nothing.
    """
    store.lock(connection)
    known = {one.entry.key: one for one in store.periods(connection, what.kind)}
    current = {key: one.entry for key, one in known.items()}
    entries = [completed(entry, current.get(entry.key), rows.columns) for entry in rows.entries]
    _check(connection, what.kind, current, entries, rows.lines)
    made = plan(current, entries)
    if dry_run or not made.entries:
        return Imported(made, ())
    versions = {key: one.version for key, one in known.items()}
    digest = hashlib.sha256(what.text.encode()).digest()
    return Imported(made, store.append(connection, made, versions, what.source, digest, by))


def _check(
    connection: sa.Connection,
    kind: Kind,
    current: Mapping[Key, Entry],
    entries: Sequence[Entry],
    lines: Mapping[Key, int],
) -> None:
    known = {other: store.codes(connection, other) for other in references(kind)}
    if kind in known:
        known[kind] |= {(entry.owner, entry.code) for entry in entries}
    problems = [*misfits(current, entries, lines), *dangling(entries, known, lines)]
    if problems:
        raise InvalidFileError(sorted(problems, key=lambda problem: problem.line))


def show(connection: sa.Connection, kind: Kind, code: str, owner: str | None, day: date) -> list[Recorded]:
    """Return what a code means on a day, to its owner, or to each that has it."""
    return store.on(connection, kind, day, owner=owner, code=code)


def export(connection: sa.Connection, kind: Kind, owner: str | None = None) -> str:
    """Return every period of a kind as CSV, in its newest version."""
    return csv_form.write(kind, [one.entry for one in store.periods(connection, kind, owner=owner)])
