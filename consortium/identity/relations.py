"""Who is whose mother (母婴关系): between numbers, said by a registrar, never a reason to link.

A newborn is often registered under the mother's name, card and phone. Saying that she is the mother says too
that the two are two people.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from consortium.errors import ConflictError
from consortium.identity import stewardship

_SELECT = """
SELECT r.id, r.child_id, r.mother_id, r.reason, r.by_user, r.at, r.ended_at, r.ended_by, r.end_reason,
       c.facility AS child_facility, c.number AS child_number, cl.person_id AS child_person,
       m.facility AS mother_facility, m.number AS mother_number, ml.person_id AS mother_person
  FROM identity.relation r
  JOIN identity.source_patient c ON c.id = r.child_id JOIN identity.link cl ON cl.source_patient_id = c.id
  JOIN identity.source_patient m ON m.id = r.mother_id JOIN identity.link ml ON ml.source_patient_id = m.id
"""
_GET = sa.text(_SELECT + " WHERE r.id = :id")
_OF = sa.text(
    _SELECT
    + " WHERE r.ended_at IS NULL AND (r.child_id = ANY(:ids) OR r.mother_id = ANY(:ids)) ORDER BY r.id"
)
_SAY = sa.text(
    "INSERT INTO identity.relation (child_id, mother_id, reason, by_user)"
    " VALUES (:child_id, :mother_id, :reason, :by_user)"
    " ON CONFLICT (child_id) WHERE ended_at IS NULL DO NOTHING RETURNING id"
)
_END = sa.text(
    "UPDATE identity.relation SET ended_at = clock_timestamp(), ended_by = :by_user, end_reason = :reason"
    " WHERE id = :id AND ended_at IS NULL"
)
_APART = sa.text(
    "SELECT says FROM identity.verdict WHERE revoked_at IS NULL"
    " AND left_id = least(:child_id, :mother_id) AND right_id = greatest(:child_id, :mother_id)"
)


@dataclass(frozen=True, slots=True)
class Relation:
    """A child's number and its mother's."""

    id: int
    child_id: int
    mother_id: int
    reason: str
    by_user: str
    at: datetime
    ended_at: datetime | None
    ended_by: str | None
    end_reason: str | None
    child_facility: str
    child_number: str
    child_person: UUID
    mother_facility: str
    mother_number: str
    mother_person: UUID

    @property
    def facilities(self) -> tuple[str, str]:
        """The campuses of both."""
        return self.child_facility, self.mother_facility


def say(connection: sa.Connection, child: int, mother: int, reason: str, by_user: str) -> Relation:
    """Say who a child's mother is, and that they are two people.

    Raises:
        ConflictError: the child has a mother already, or a person decided that both are one.
        NotTogetherError: it is one number.
    """
    pair = {"child_id": child, "mother_id": mother}
    said = connection.execute(_APART, pair).scalar_one_or_none()
    if said == "same":
        raise ConflictError("it was decided that both numbers are one person: take that back first")
    if said is None:
        stewardship.decide(connection, (child, mother), "different", reason, by_user)
    id_ = connection.execute(_SAY, {**pair, "reason": reason, "by_user": by_user}).scalar_one_or_none()
    if id_ is None:
        raise ConflictError("the child has a mother already: end that relation first")
    made = get(connection, id_)
    assert made is not None  # noqa: S101 - narrows; it was written above
    return made


def end(connection: sa.Connection, relation: Relation, reason: str, by_user: str) -> Relation:
    """End a relation that was wrong; that both are two people stays. Raises ConflictError."""
    done = connection.execute(_END, {"id": relation.id, "reason": reason, "by_user": by_user})
    now = get(connection, relation.id)
    if done.rowcount != 1 or now is None:
        raise ConflictError("the relation was ended already")
    return now


def get(connection: sa.Connection, id_: int) -> Relation | None:
    """Return one relation, or None."""
    row = connection.execute(_GET, {"id": id_}).mappings().one_or_none()
    return None if row is None else Relation(**row)


def relations(connection: sa.Connection, ids: Collection[int]) -> list[Relation]:
    """Return the relations of some numbers that stand, oldest first."""
    return [Relation(**row) for row in connection.execute(_OF, {"ids": list(ids)}).mappings()]
