"""Reading what is known of numbers, without locks: for people who look."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from consortium.identity import decide
from consortium.identity.model import Facts, Origin, SourcePatient

_NUMBERS = """
SELECT s.id, s.facility, s.number, s.name, s.sex, s.birth_date, s.id_card, s.phone, s.address, s.deceased,
       s.vip, s.merged_into, s.survivor, s.version, s.message_id, s.source_version, s.changed_at,
       l.person_id, l.origin, l.rule, l.rule_version, l.weight, l.model_version, l.evidence, l.at
  FROM identity.source_patient s JOIN identity.link l ON l.source_patient_id = s.id
"""
# S608 below: two constants of this module are joined.
_BY_ID = sa.text(_NUMBERS + " WHERE s.id = ANY(:ids) ORDER BY s.id")
_OF_PERSONS = sa.text(_NUMBERS + " WHERE l.person_id = ANY(:persons) ORDER BY s.id")
_FIND = sa.text(_NUMBERS + " WHERE s.facility = :facility AND s.number = :number")
_HISTORY = sa.text(
    "SELECT source_patient_id, version, facts, message_id, replaced_at FROM identity.source_patient_history"
    " WHERE source_patient_id = ANY(:ids) ORDER BY source_patient_id, version"
)


@dataclass(frozen=True, slots=True)
class Linked:
    """A number and how it is linked. `patient.link` is left out."""

    patient: SourcePatient
    person_id: UUID
    origin: Origin
    rule: str
    rule_version: int
    weight: float | None
    """log2 of the match weight, where the rule weighs."""
    model_version: str | None
    evidence: Sequence[dict[str, Any]]
    """What the weight is made of: field, level, weight."""
    at: datetime


@dataclass(frozen=True, slots=True)
class Former:
    """A value that a number had before."""

    field: str
    value: Any
    until: datetime
    message_id: int
    """The message that replaced it."""


def by_id(connection: sa.Connection, ids: Collection[int]) -> dict[int, Linked]:
    """Return numbers by their id."""
    rows = connection.execute(_BY_ID, {"ids": list(ids)}).mappings()
    return {row["id"]: _linked(row) for row in rows}


def of_persons(connection: sa.Connection, persons: Collection[UUID]) -> list[Linked]:
    """Return the numbers that are linked to people, by id."""
    rows = connection.execute(_OF_PERSONS, {"persons": list(persons)}).mappings()
    return [_linked(row) for row in rows]


def find(connection: sa.Connection, facility: str, number: str) -> Linked | None:
    """Return a campus's number; None when it is not registered."""
    row = connection.execute(_FIND, {"facility": facility, "number": number}).mappings().one_or_none()
    return None if row is None else _linked(row)


def former_values(connection: sa.Connection, patients: Collection[SourcePatient]) -> dict[int, list[Former]]:
    """Return what each number's fields said before, oldest first."""
    versions: dict[int, list[sa.RowMapping]] = {patient.id: [] for patient in patients}
    for row in connection.execute(_HISTORY, {"ids": list(versions)}).mappings():
        versions[row["source_patient_id"]].append(row)
    return {patient.id: _former(versions[patient.id], patient) for patient in patients}


def _former(versions: Sequence[sa.RowMapping], patient: SourcePatient) -> list[Former]:
    """Compare every version with the one after it; the last with what is known now."""
    now = {name: getattr(patient.facts, name) for name in decide.FACTS} | {
        "birth_date": patient.facts.birth_date.isoformat() if patient.facts.birth_date else None
    }
    following = [*(row["facts"] for row in versions), now][1:]
    return [
        Former(name, row["facts"].get(name), row["replaced_at"], row["message_id"])
        for row, after in zip(versions, following, strict=True)
        for name in decide.FACTS
        if row["facts"].get(name) is not None and row["facts"].get(name) != after.get(name)
    ]


def _linked(row: sa.RowMapping) -> Linked:
    facts = Facts(**{name: row[name] for name in decide.FACTS})
    patient = SourcePatient(
        id=row["id"],
        facility=row["facility"],
        number=row["number"],
        message_id=row["message_id"],
        changed_at=row["changed_at"],
        facts=facts,
        observed=decide.observe(facts),
        merged_into=row["merged_into"],
        survivor=row["survivor"],
        version=row["version"],
        source_version=row["source_version"],
    )
    how = ("person_id", "origin", "rule", "rule_version", "weight", "model_version", "at")
    return Linked(patient, **{name: row[name] for name in how}, evidence=row["evidence"] or [])
