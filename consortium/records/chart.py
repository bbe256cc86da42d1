"""The charts that a batch writes in: rows loaded, revised in memory one statement after another, written at
the end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from consortium.documents import keeping
from consortium.records import decide, store, tables
from consortium.records.critical import Alarm, alarm
from consortium.records.facts import Row, Said
from consortium.records.tables import Table

PARTS = {"encounter": (tables.DIAGNOSIS, "encounter_id"), "report": (tables.RESULT, "report_id")}
"""Which table holds the parts of a record, and by which column they name it."""

Place = tuple[str, int]
"""Table, and id as a number, which costs nothing to look up."""


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


@dataclass(frozen=True, slots=True)
class Raised:
    """What became of critical values, by id."""

    opened: set[UUID]
    """New ones."""
    withdrawn: dict[UUID, UUID]
    """Those whose result no longer stands, with that result."""


class Charts:
    """See the module."""

    def __init__(self, connection: sa.Connection) -> None:
        """Begin with nothing loaded."""
        self._connection = connection
        self._rows: dict[Place, Row] = {}
        self._loaded: dict[Place, Row] = {}
        self._parts: dict[int, list[Place]] = {}
        self._replaced: list[store.Replaced] = []
        self._contents: dict[bytes, bytes] = {}
        self._alarms: list[Alarm] = []

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
                self._loaded[name, row["id"].int] = row
        for name, ids in parents.items():
            table, column = PARTS[name]
            for row in store.load_children(self._connection, table, ids):
                self._loaded[table.name, row["id"].int] = row
                self._parts.setdefault(row[column].int, []).append((table.name, row["id"].int))
        self._rows = dict(self._loaded)

    def enter(self, entry: Entry) -> tuple[Counter[str], list[Alarm]]:
        """Take a statement; returns how many rows say something new, and what that means for critical
        values.
        """
        written: Counter[str] = Counter()
        if entry.silent:
            return written, []
        said = entry.said
        before = self._rows.get((said.table.name, said.id.int))
        newer = before is None or (
            said.word.authority and said.word.version.supersedes(decide.version_of(before))
        )
        row = self._write(said, entry.patient_id, written)
        parts = self._enter_parts(said, row, written, newer=newer)
        if said.content:
            self._contents[said.first["content_sha256"]] = said.content
        alarms = []
        if said.table is tables.REPORT:
            found = (alarm(part, self._rows[place], row) for place, part in parts.items())
            alarms = [one for one in found if one is not None]
        self._alarms += alarms
        return written, alarms

    def write(self) -> Raised:
        """Write everything; returns what became of the critical values. Raises StoreAwayError."""
        keeping.keep(self._connection, self._contents)
        new: dict[str, list[Row]] = {}
        known: dict[str, list[Row]] = {}
        for place, row in self._rows.items():
            loaded = self._loaded.get(place)
            if loaded is not row and loaded != row:
                (new if loaded is None else known).setdefault(place[0], []).append(row)
        for name, table in tables.TABLES.items():
            store.insert(self._connection, table, new.get(name, ()))
            store.update(self._connection, table, known.get(name, ()))
        store.keep(self._connection, self._replaced)
        return self._raise_alarms()

    def _raise_alarms(self) -> Raised:
        """Withdraw and open critical values; one that was opened and withdrawn within the batch is never
        seen open.
        """
        standing: dict[UUID, Row] = {}
        for one in self._alarms:
            standing = {id_: row for id_, row in standing.items() if row["result_id"] != one.result["id"]}
            if one.opens is not None:
                standing[one.opens["id"]] = one.opens
        withdrawn = store.withdraw_critical(self._connection, [a.result for a in self._alarms if a.withdraws])
        return Raised(set(store.open_critical(self._connection, list(standing.values()))), withdrawn)

    def _enter_parts(
        self, said: Said, row: Row, written: Counter[str], *, newer: bool
    ) -> dict[Place, Row | None]:
        """Take what is said of the parts of a record; returns what each part was before, where it says
        something new.
        """
        if said.table.name not in PARTS:
            return {}
        known = list(self._parts.get(said.id.int, ()))
        snapshot = said.table is tables.ENCOUNTER
        if snapshot and known and not newer:
            return {}
        before = {place: self._rows[place] for place in known}
        for child in said.children:
            self._write(child, row["patient_id"], written, row)
        if newer and row["deleted"] and said.deleted:
            self._withdraw(said, self._parts.get(said.id.int, ()), written)
        elif snapshot and newer and said.children:
            stated = {(child.table.name, child.id.int) for child in said.children}
            self._withdraw(said, [place for place in known if place not in stated], written)
        changed: dict[Place, Row | None] = {}
        for place in self._parts.get(said.id.int, ()):
            was = before.get(place)
            if was is None or decide.differs(was, self._rows[place]):
                changed[place] = was
        return changed

    def _withdraw(self, said: Said, places: Iterable[Place], written: Counter[str]) -> None:
        for place in list(places):
            table, known = tables.TABLES[place[0]], self._rows[place]
            self._put(said, table, known, decide.withdrawn(table, known, said.word), written)

    def _write(self, said: Said, patient_id: int, written: Counter[str], parent: Row | None = None) -> Row:
        place = (said.table.name, said.id.int)
        known = self._rows.get(place)
        if known is not None:
            return self._put(said, said.table, known, decide.revised(said, known), written)
        row = decide.created(said, patient_id, parent["at"] if parent else None)
        self._rows[place] = row
        if parent is not None:
            self._parts.setdefault(parent["id"].int, []).append(place)
        written[said.table.name] += 1
        return row

    def _put(self, said: Said, table: Table, known: Row, row: Row, written: Counter[str]) -> Row:
        self._rows[table.name, row["id"].int] = row
        if decide.differs(known, row):
            word = said.word
            self._replaced.append(store.Replaced(table, known, word.version.message_id, word.received_at))
            written[table.name] += 1
        return row
