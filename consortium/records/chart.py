"""The charts that a batch writes in: rows loaded, revised in memory one statement after another, written at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from consortium.records import decide, store, tables
from consortium.records.critical import is_critical, opened
from consortium.records.facts import Row, Said
from consortium.records.tables import Table

PARTS = {"encounter": (tables.DIAGNOSIS, "encounter_id"), "report": (tables.RESULT, "report_id")}
"""Which table holds the parts of a record, and by which column they name it."""

Place = tuple[str, UUID]
"""Table and id."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One statement, and in whose chart it belongs."""

    said: Said
    patient_id: int
    known: bool
    """The record was there before the batch."""

    @property
    def silent(self) -> bool:
        """Whether nothing can come of it: a known record is named, and nothing is said of it."""
        return self.known and not self.said.word.authority and not self.said.partial


class Charts:
    """See the module."""

    def __init__(self, connection: sa.Connection) -> None:
        """Begin with nothing loaded."""
        self._connection = connection
        self._rows: dict[Place, Row] = {}
        self._loaded: dict[Place, Row] = {}
        self._parts: dict[UUID, list[Place]] = {}
        self._replaced: list[store.Replaced] = []
        self._contents: dict[bytes, bytes] = {}
        self._critical: dict[UUID, Row] = {}

    def load(self, entries: Iterable[Entry]) -> None:
        """Load the records that the entries may change, and their parts."""
        wanted: dict[str, dict[UUID, int]] = {}
        parents: dict[str, dict[UUID, int]] = {}
        for entry in entries:
            said = entry.said
            if not entry.known or entry.silent:
                continue
            wanted.setdefault(said.table.name, {})[said.id] = entry.patient_id
            if said.table.name in PARTS and (said.children or said.deleted):
                parents.setdefault(said.table.name, {})[said.id] = entry.patient_id
        for name, ids in wanted.items():
            for row in store.load(self._connection, tables.TABLES[name], ids):
                self._loaded[name, row["id"]] = row
        for name, ids in parents.items():
            table, column = PARTS[name]
            for row in store.load_children(self._connection, table, ids):
                self._loaded[table.name, row["id"]] = row
                self._parts.setdefault(row[column], []).append((table.name, row["id"]))
        self._rows = dict(self._loaded)

    def enter(self, entry: Entry) -> tuple[Counter[str], list[Row]]:
        """Take a statement; returns how many rows say something new, and the critical values it may open."""
        written: Counter[str] = Counter()
        if entry.silent:
            return written, []
        said = entry.said
        before = self._rows.get((said.table.name, said.id))
        newer = before is None or (
            said.word.authority and said.word.version.supersedes(decide.version_of(before))
        )
        row = self._write(said, entry.patient_id, written)
        changed = self._enter_parts(said, row, written, newer=newer)
        if said.content:
            self._contents[said.first["content_sha256"]] = said.content
        if said.table is not tables.REPORT:
            return written, []
        critical = [opened(part, row) for part in changed if is_critical(part, row)]
        self._critical |= {value["id"]: value for value in critical}
        return written, critical

    def write(self) -> set[UUID]:
        """Write everything; returns the critical values that were not known before."""
        store.keep_content(self._connection, self._contents)
        for name, table in tables.TABLES.items():
            changed = {place: row for place, row in self._rows.items() if place[0] == name}
            new = [row for place, row in changed.items() if place not in self._loaded]
            known = [row for place, row in changed.items() if row != self._loaded.get(place, row)]
            store.insert(self._connection, table, new)
            store.update(self._connection, table, known)
        store.keep(self._connection, self._replaced)
        return set(store.open_critical(self._connection, list(self._critical.values())))

    def _enter_parts(self, said: Said, row: Row, written: Counter[str], *, newer: bool) -> list[Row]:
        """Take what is said of the parts of a record; returns the parts that say something new."""
        if said.table.name not in PARTS:
            return []
        known = list(self._parts.get(said.id, ()))
        snapshot = said.table is tables.ENCOUNTER
        if snapshot and known and not newer:
            return []
        changed = []
        for child in said.children:
            before = self._rows.get((child.table.name, child.id))
            after = self._write(child, row["patient_id"], written, row)
            if before is None or decide.differs(before, after):
                changed.append(after)
        if newer and row["deleted"] and said.deleted:
            self._withdraw(said, self._parts.get(said.id, ()), written)
        elif snapshot and newer and said.children:
            stated = {(child.table.name, child.id) for child in said.children}
            self._withdraw(said, [place for place in known if place not in stated], written)
        return changed

    def _withdraw(self, said: Said, places: Iterable[Place], written: Counter[str]) -> None:
        for place in list(places):
            table, known = tables.TABLES[place[0]], self._rows[place]
            self._put(said, table, known, decide.withdrawn(table, known, said.word), written)

    def _write(self, said: Said, patient_id: int, written: Counter[str], parent: Row | None = None) -> Row:
        place = (said.table.name, said.id)
        known = self._rows.get(place)
        if known is not None:
            return self._put(said, said.table, known, decide.revised(said, known), written)
        row = decide.created(said, patient_id, parent["at"] if parent else None)
        self._rows[place] = row
        if parent is not None:
            self._parts.setdefault(parent["id"], []).append(place)
        written[said.table.name] += 1
        return row

    def _put(self, said: Said, table: Table, known: Row, row: Row, written: Counter[str]) -> Row:
        self._rows[table.name, row["id"]] = row
        if decide.differs(known, row):
            word = said.word
            self._replaced.append(store.Replaced(table, known, word.version.message_id, word.received_at))
            written[table.name] += 1
        return row
