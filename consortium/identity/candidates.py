"""The two numbers of a review, side by side: what each says now, said before, is linked to, and holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from consortium.identity import decide, reading
from consortium.identity.model import SourcePatient
from consortium.identity.reading import Former, Linked

_COUNTED = ("encounter", "order", "report", "document", "charge", "appointment")
_COUNTS = sa.text(
    " UNION ALL ".join(
        f"SELECT patient_id, '{table}' AS kind, count(*) AS number FROM records.\"{table}\""  # noqa: S608 - constants of this module
        " WHERE patient_id = ANY(:ids) AND NOT deleted GROUP BY patient_id"
        for table in _COUNTED
    )
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One side of a pair."""

    linked: Linked
    former: Sequence[Former]
    together: Sequence[SourcePatient]
    """Other numbers that are linked to the same person."""
    records: Mapping[str, int]
    """How many records hang on this number, by kind."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One field of both sides."""

    field: str
    left: object
    right: object
    agree: bool | None
    """None: one of them says nothing."""


def candidates(connection: sa.Connection, ids: Sequence[int]) -> dict[int, Candidate]:
    """Return the numbers of some pairs, by id."""
    found = reading.by_id(connection, ids)
    former = reading.former_values(connection, [one.patient for one in found.values()])
    beside: dict[UUID, list[SourcePatient]] = {one.person_id: [] for one in found.values()}
    for one in reading.of_persons(connection, list(beside)):
        beside[one.person_id].append(one.patient)
    records: dict[int, dict[str, int]] = {id_: {} for id_ in found}
    for row in connection.execute(_COUNTS, {"ids": list(found)}):
        records[row.patient_id][row.kind] = row.number
    return {
        id_: Candidate(
            one, former[id_], [other for other in beside[one.person_id] if other.id != id_], records[id_]
        )
        for id_, one in found.items()
    }


def compared(left: SourcePatient, right: SourcePatient) -> list[Compared]:
    """Return the fields side by side; names and cards agree as they are compared, not as they were typed."""
    return [_compared(field, left, right) for field in decide.FACTS]


def _compared(field: str, left: SourcePatient, right: SourcePatient) -> Compared:
    said = getattr(left.facts, field), getattr(right.facts, field)
    if None in said:
        return Compared(field, *said, None)
    ours, theirs = _key(field, left), _key(field, right)
    return Compared(field, *said, ours == theirs)


def _key(field: str, patient: SourcePatient) -> object:
    if field == "name":
        return patient.observed.name_key
    said: object = getattr(patient.facts, field)
    return patient.observed.card or said if field == "id_card" else said
