"""Applying changes: identity resolved, records written, history kept, in the caller's transaction.

A batch is one pass: what it may touch is loaded in a few statements, the changes are decided one after
another in memory, and what came of them is written in a few statements. So two hundred messages cost little
more than one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from consortium.errors import RetryableError
from consortium.identity.census import Census, Statement
from consortium.identity.model import MergeError
from consortium.records import store
from consortium.records.chart import Charts, Entry, Raised
from consortium.records.critical import Alarm
from consortium.records.errors import RecordError, number_of_other_patient
from consortium.records.facts import Said, check_patient, take_apart
from consortium.records.model import Change, Kind, Provenance
from consortium.stages import stage

_IDENTITY = frozenset({Kind.PATIENT, Kind.MERGE, Kind.ENCOUNTER})
"""Kinds of change that have a say in who the patient is; the others only fill what is not known."""


Refused = RecordError | MergeError
"""Why a change cannot be recorded: `code`, `field`, and a message without patient data."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a workflow must hear of: references only."""

    dedupe_key: str
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a change."""

    person_id: UUID
    source_patient_id: int
    written: Mapping[str, int]
    """How many rows are new or say something new, by table, `patient` and `link` included; empty when
    nothing was new.
    """
    events: tuple[Event, ...] = ()


def apply(connection: sa.Connection, change: Change, provenance: Provenance) -> Applied:
    """Apply one change; the same again changes nothing.

    The transaction must be READ COMMITTED. After an error it is rolled back, to a savepoint at least.

    Raises:
        RecordError, MergeError: the change cannot be recorded; `code` and `field` say why.
        RetryableError: another transaction took a number at the same moment.
        StoreAwayError: the documents' store does not take what a document holds.
    """
    outcome = apply_many(connection, [(change, provenance)])[0]
    if isinstance(outcome, Refused):
        raise outcome
    return outcome


def apply_many(
    connection: sa.Connection, changes: Sequence[tuple[Change, Provenance]]
) -> list[Applied | Refused]:
    """Apply changes in order; one that cannot be recorded leaves no trace, and its error stands in its
    place.

    What identity wrote for the whole batch is counted with the first change that was recorded.

    Raises:
        RetryableError: another transaction took a number at the same moment; the whole batch must be
            rolled back.
        StoreAwayError: the documents' store does not take what a document holds; likewise.
    """
    try:
        return _Batch(connection, changes).run()
    except IntegrityError as error:
        raise RetryableError(
            "another transaction wrote the same numbers at the same moment: try again"
        ) from error


@dataclass(frozen=True, slots=True)
class _Item:
    statement: Statement
    said: tuple[Said, ...]


@dataclass(frozen=True, slots=True)
class _Taken:
    statement: Statement
    entries: Sequence[Entry]


class _Batch:
    """One pass over some changes."""

    def __init__(self, connection: sa.Connection, changes: Sequence[tuple[Change, Provenance]]) -> None:
        self._connection = connection
        self._items = [_prepared(change, provenance) for change, provenance in changes]
        items = [item for item in self._items if isinstance(item, _Item)]
        self._census = Census(connection, [item.statement for item in items])
        self._owners = store.owners(
            connection, {s.key for item in items for s in item.said if s.key is not None}
        )
        self._known = frozenset(self._owners)

    def run(self) -> list[Applied | Refused]:
        with stage("identity"):
            taken = [self._take(item) for item in self._items]
            identity = Counter(self._census.finish())
        charts = Charts(self._connection)
        charts.load(entry for item in taken if isinstance(item, _Taken) for entry in item.entries)
        outcomes: list[Applied | Refused] = []
        alarms: list[Sequence[Alarm]] = []
        for item in taken:
            if isinstance(item, Refused):
                outcomes.append(item)
                alarms.append(())
                continue
            written, raised = _enter(charts, item.entries)
            outcomes.append(self._applied(item.statement, written + identity))
            alarms.append(raised)
            identity.clear()
        return _with_events(outcomes, alarms, charts.write())

    def _take(self, item: _Item | Refused) -> _Taken | Refused:
        """Take one change into identity; returns where its records belong, or why it cannot be."""
        if isinstance(item, Refused):
            return item
        facility, number = item.statement.provenance.facility, item.statement.patient.number
        try:
            self._census.check(item.statement)
            for said in item.said:
                self._check_owner(said, self._census.root(facility, number))
        except (RecordError, MergeError) as error:
            return error
        patient = self._census.take(item.statement)
        return _Taken(item.statement, [self._entry(said, patient.id) for said in item.said])

    def _check_owner(self, said: Said, patient: int | None) -> None:
        owner = self._owners.get(said.key) if said.key else None
        if owner is not None and owner != patient and self._census.root_of(owner) != patient:
            raise number_of_other_patient(said.path)

    def _entry(self, said: Said, patient_id: int) -> Entry:
        if said.key is None:
            raise ValueError("only records with a number are entered by themselves")
        return Entry(said, self._owners.setdefault(said.key, patient_id), said.key in self._known)

    def _applied(self, statement: Statement, written: Counter[str]) -> Applied:
        patient = self._census.current(statement.provenance.facility, statement.patient.number)
        return Applied(patient.person_id, patient.id, dict(written))


def _prepared(change: Change, provenance: Provenance) -> _Item | Refused:
    try:
        check_patient(change.patient)
        said = take_apart(change, provenance)
    except (RecordError, MergeError) as error:
        return error
    authority, versioned = change.kind in _IDENTITY, change.kind is Kind.PATIENT
    return _Item(Statement(change.patient, provenance, change.merge, authority, versioned), said)


def _enter(charts: Charts, entries: Sequence[Entry]) -> tuple[Counter[str], list[Alarm]]:
    written: Counter[str] = Counter()
    alarms: list[Alarm] = []
    for entry in entries:
        rows, raised = charts.enter(entry)
        written += rows
        alarms += raised
    return written, alarms


def _with_events(
    outcomes: list[Applied | Refused], alarms: Sequence[Sequence[Alarm]], raised: Raised
) -> list[Applied | Refused]:
    """Give every critical value's event to the change that opened or withdrew it."""
    for index, (outcome, mine) in enumerate(zip(outcomes, alarms, strict=True)):
        events = [event for one in mine for event in _events(one, raised)]
        if isinstance(outcome, Applied) and events:
            written = {**outcome.written, "critical_value": len(events)}
            outcomes[index] = replace(outcome, written=written, events=tuple(events))
    return outcomes


def _events(alarm: Alarm, raised: Raised) -> Iterator[Event]:
    facility = alarm.result["facility"]
    if alarm.withdraws is not None:
        for id_ in [id_ for id_, result in raised.withdrawn.items() if result == alarm.result["id"]]:
            del raised.withdrawn[id_]
            yield _event(
                "critical-withdrawn", "critical_value_withdrawn", id_, facility, reason=alarm.withdraws
            )
    if alarm.opens is not None and alarm.opens["id"] in raised.opened:
        yield _event("critical", "critical_value", alarm.opens["id"], facility)


def _event(key: str, name: str, id_: UUID, facility: str, **more: str) -> Event:
    return Event(f"{key}:{id_}", {"event": name, "critical_value_id": str(id_), "facility": facility, **more})
