"""Whose documents: from the consortium id of a submission to a campus's patient, and back to the person.

A campus's patient number stands for the same human for ever; which person it belongs to may change by a merge
or a split. So the number is kept, and the person is looked up whenever it is asked.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from consortium.documents.model import PatientId
from consortium.identity.model import own_person

_LINKED = """
SELECT s.id, s.facility, s.number, s.merged_into IS NULL AS active
  FROM identity.link l JOIN identity.source_patient s ON s.id = l.source_patient_id
 WHERE l.person_id = ANY(%(persons)s) ORDER BY s.id
"""


@dataclass(frozen=True, slots=True)
class Linked:
    """A campus's patient number of a person."""

    id: int
    facility: str
    number: str
    active: bool = True
    """Not merged into another number."""


def person_of(connection: sa.Connection, patient: PatientId, consortium: str) -> UUID | None:
    """Return the person whom a patient id stands for; None when it is of another domain, unknown, or all its
    numbers have gone to another person.
    """
    person = as_person(patient, consortium)
    return person if person is not None and linked(connection, [person]) else None


def as_person(patient: PatientId, consortium: str) -> UUID | None:
    """Read a patient id of the consortium's domain."""
    if patient.authority != consortium:
        return None
    try:
        return UUID(patient.number)
    except ValueError:
        return None


def linked(connection: sa.Connection, persons: Collection[UUID]) -> list[Linked]:
    """Return the patient numbers that are these people now."""
    rows = connection.exec_driver_sql(_LINKED, {"persons": list(persons)})
    return [Linked(row.id, row.facility, row.number, row.active) for row in rows]


def standing_for(
    person: UUID, numbers: Sequence[Linked], organisation: str, source: tuple[str, str] | None
) -> Linked:
    """Choose the number that a document's patient is kept by: the one that the source named (campus and
    number), else that of the campus that submits, else the one that the person's id was made from.
    """

    def rank(each: Linked) -> tuple[bool, ...]:
        return (
            (each.facility, each.number) != source,
            each.facility != organisation,
            own_person(each.facility, each.number) != person,
            not each.active,
        )

    return min(numbers, key=rank)
