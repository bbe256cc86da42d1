"""Taking a change apart into what it says of each record."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from consortium.records import tables
from consortium.records.errors import unstorable_character
from consortium.records.keys import child_id, record_id
from consortium.records.model import (
    Allergy,
    Appointment,
    Change,
    Charge,
    Coded,
    Document,
    Encounter,
    Fact,
    Kind,
    Order,
    Patient,
    Procedure,
    Provenance,
    Report,
    Result,
)
from consortium.records.tables import Table
from consortium.records.versions import Version

Row = dict[str, Any]
Key = tuple[str, str, str]
"""Number, kind and facility: what `records.business_key` is unique by."""

Numbered = Encounter | Order | Report | Document | Charge | Appointment | Procedure | Allergy
"""A fact that is a record by itself."""

SUBJECTS = {
    Kind.ENCOUNTER: "encounter",
    Kind.ORDER: "order",
    Kind.REPORT: "report",
    Kind.DOCUMENT: "document",
    Kind.CHARGE: "charge",
    Kind.APPOINTMENT: "appointment",
    Kind.PROCEDURE: "procedure",
    Kind.ALLERGY: "allergy",
}
"""What a kind of change is about. All else but `_WHOLE` only fills what is not known yet."""

ALSO = {Kind.REPORT: "order"}
"""What a kind of change also has a say in: a report completes its order. Its source version does not reach
that far.
"""

_WHOLE = (tables.DOCUMENT, tables.PROCEDURE, tables.ALLERGY)
"""What comes along with what it says, whatever the change is about: nobody else speaks of it."""

UNSTORABLE = "\x00"
"""PostgreSQL keeps every character but this; half surrogate pairs are refused by the model already."""


@dataclass(frozen=True, slots=True)
class Word:
    """What weight a statement has."""

    version: Version
    authority: bool
    """False: it only fills what is not known yet."""
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Said:
    """What a change says of one record."""

    table: Table
    id: UUID
    path: str
    """Where in the change: `reports[0].number`."""
    word: Word
    first: Row
    """The row when the record is new: what is said, and defaults."""
    fact: Fact
    references: Row
    """What the platform adds to what is said: the visit, the order."""
    deleted: bool | None
    """None: not spoken of."""
    key: Key | None = None
    """None: a part of another record."""
    children: tuple[Said, ...] = ()
    content: bytes = field(default=b"", repr=False)

    @property
    def partial(self) -> Row:
        """What is really said, without defaults and empty text: it replaces what is known."""
        stated, said = self.fact.model_fields_set, self.table.said
        real = {c: v for c, v in self.first.items() if c in said and v != "" and said[c][0] in stated}
        return real | self.references


def take_apart(change: Change, provenance: Provenance) -> tuple[Said, ...]:
    """Return what a change says of each record but the patient.

    Raises:
        RecordError: text that cannot be kept as it is (`unstorable_character`).
    """
    return tuple(_sections(_Context(change, provenance)))


def check_patient(patient: Patient) -> None:
    """Raise RecordError (`unstorable_character`) when something in a patient's facts cannot be kept as it
    is.
    """
    for name in Patient.model_fields:
        _check(getattr(patient, name), "patient", name)


@dataclass(frozen=True, slots=True)
class _Context:
    change: Change
    provenance: Provenance

    def word(self, table: Table) -> Word:
        kind = self.change.kind
        subject = SUBJECTS.get(kind) == table.name
        source = self.provenance.source_version if subject else None
        authority = subject or ALSO.get(kind) == table.name or table in _WHOLE
        return Word(Version(self.provenance.message_id, source), authority, self.provenance.received_at)

    def encounter(self) -> Row:
        visit = self.change.encounter
        facility = self.provenance.facility
        return {} if visit is None else {"encounter_id": record_id(facility, "encounter", visit.number)}

    def said(
        self,
        table: Table,
        fact: Numbered,
        path: str,
        kind: str | None = None,
        **own: Any,
    ) -> Said:
        """Return what is said of a record that has a number."""
        facility = self.provenance.facility
        key = (fact.number, kind or table.name, facility)
        _check(fact.number, path, "number")
        word = self.word(table)
        reference = {} if table is tables.ENCOUNTER else self.encounter()
        own = {name: value for name, value in (own | reference).items() if value is not None}
        spoken = "deleted" in fact.model_fields_set or SUBJECTS.get(self.change.kind) == table.name
        return Said(
            table=table,
            id=record_id(facility, key[1], fact.number),
            path=f"{path}.number",
            word=word,
            first=_columns(table, fact, path) | own | {"facility": facility, "number": fact.number},
            fact=fact,
            references=own,
            deleted=fact.deleted if spoken else None,
            key=key,
        )


def _sections(context: _Context) -> Iterator[Said]:
    change = context.change
    if change.encounter is not None:
        yield _encounter(context, change.encounter)
    for index, order in enumerate(change.orders):
        yield context.said(tables.ORDER, order, f"orders[{index}]")
    for index, report in enumerate(change.reports):
        yield _report(context, report, f"reports[{index}]")
    for index, document in enumerate(change.documents):
        yield _document(context, document, f"documents[{index}]")
    for index, charge in enumerate(change.charges):
        yield context.said(tables.CHARGE, charge, f"charges[{index}]")
    for index, appointment in enumerate(change.appointments):
        yield context.said(tables.APPOINTMENT, appointment, f"appointments[{index}]")
    for index, procedure in enumerate(change.procedures):
        yield _procedure(context, procedure, f"procedures[{index}]")
    for index, allergy in enumerate(change.allergies):
        yield context.said(tables.ALLERGY, allergy, f"allergies[{index}]")


def _encounter(context: _Context, encounter: Encounter) -> Said:
    said = context.said(tables.ENCOUNTER, encounter, "encounter")
    return replace(said, children=tuple(_diagnoses(said, encounter.diagnoses)))


def _diagnoses(visit: Said, diagnoses: Iterable[Coded]) -> Iterator[Said]:
    for rank, diagnosis in enumerate(diagnoses):
        own = {"encounter_id": visit.id, "rank": rank}
        yield _child(
            visit, tables.DIAGNOSIS, diagnosis, f"encounter.diagnoses[{rank}]", own, diagnosis.code, own
        )


def _report(context: _Context, report: Report, path: str) -> Said:
    facility, number = context.provenance.facility, report.order_number
    order = None if number is None else record_id(facility, "order", number)
    said = context.said(tables.REPORT, report, path, f"{report.kind}_report", order_id=order)
    return replace(said, children=tuple(_results(context, said, report, path)))


def _results(context: _Context, said: Said, report: Report, path: str) -> Iterator[Said]:
    times: Counter[str] = Counter()
    visit = context.encounter()
    for rank, result in enumerate(report.results):
        code = result.item.code
        occurrence = times[code]
        times[code] += 1
        own = {"report_id": said.id, "category": report.kind, "rank": rank} | visit
        yield _child(
            said, tables.RESULT, result, f"{path}.results[{rank}]", own, f"{code}\x1f{occurrence}", visit
        )


def _procedure(context: _Context, procedure: Procedure, path: str) -> Said:
    facility = context.provenance.facility
    order, whole = procedure.order_number, procedure.part_of
    return context.said(
        tables.PROCEDURE,
        procedure,
        path,
        order_id=None if order is None else record_id(facility, "order", order),
        part_of_id=None if whole is None else record_id(facility, "procedure", whole),
    )


def _document(context: _Context, document: Document, path: str) -> Said:
    own: Row = {}
    if document.content:
        own = {
            "content_sha256": hashlib.sha256(document.content).digest(),
            "content_size": len(document.content),
        }
    return replace(context.said(tables.DOCUMENT, document, path, **own), content=document.content)


def _child(
    parent: Said, table: Table, fact: Coded | Result, path: str, own: Row, name: str, references: Row
) -> Said:
    deleted = fact.deleted if isinstance(fact, Result) else False
    return Said(
        table=table,
        id=child_id(parent.id, name),
        path=path,
        word=parent.word,
        first=_columns(table, fact, path) | own | {"facility": parent.first["facility"]},
        fact=fact,
        references=references,
        deleted=deleted,
    )


def _columns(table: Table, fact: Fact, path: str) -> Row:
    """Return the columns that a fact fills, defaults included."""
    row: Row = {}
    known = fact.__dict__
    for column, top, part in table.places:
        value = known[top]
        if value is None:
            continue
        if part:
            value = value.__dict__[part]
            if value is None:
                continue
        if value.__class__ is str and UNSTORABLE in value:
            raise unstorable_character(".".join((path, *table.said[column])))
        row[column] = value
    return row


def _check(value: object, *path: str) -> None:
    if isinstance(value, str) and UNSTORABLE in value:
        raise unstorable_character(".".join(path))
