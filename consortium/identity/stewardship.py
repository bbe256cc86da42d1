"""What a registrar decides without a review: linking two numbers, keeping them apart, splitting a person,
undoing. In the caller's transaction; effects are immediate.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from consortium.errors import ConflictError, PermanentError
from consortium.identity import reading, service
from consortium.identity.review import Says

# S608 below: two constants of this module are joined.
_VERDICTS = """
SELECT v.id, v.left_id, v.right_id, v.says, v.reason, v.by_user, v.at, v.revoked_at, v.revoked_by,
       v.revoke_reason, a.facility AS left_facility, a.number AS left_number,
       b.facility AS right_facility, b.number AS right_number
  FROM identity.verdict v
  JOIN identity.source_patient a ON a.id = v.left_id
  JOIN identity.source_patient b ON b.id = v.right_id
"""
_VERDICT = sa.text(_VERDICTS + " WHERE v.id = :id")
_VERDICTS_OF = sa.text(_VERDICTS + " WHERE v.left_id = ANY(:ids) OR v.right_id = ANY(:ids) ORDER BY v.id")
_MOVES = """
SELECT l.id, l.source_patient_id, s.facility, s.number, l.from_person, l.to_person, l.origin, l.rule,
       l.rule_version, l.weight, l.model_version, l.at, l.message_id, l.by_user, l.reason
  FROM identity.ledger l JOIN identity.source_patient s ON s.id = l.source_patient_id
"""
_MOVE = sa.text(_MOVES + " WHERE l.id = :id")
_MOVES_OF = sa.text(
    _MOVES  # noqa: S608
    + " WHERE l.source_patient_id = ANY(:ids) OR l.from_person = :person OR l.id IN"
    " (SELECT id FROM identity.ledger WHERE to_person = :person) ORDER BY l.id"
)
_ALONG = sa.text(
    "SELECT source_patient_id FROM identity.ledger WHERE at = :at"
    " AND message_id IS NOT DISTINCT FROM :message_id"
    " AND from_person = :from_person AND to_person = :to_person"
)
_MADE = sa.text(
    "SELECT id FROM identity.verdict WHERE revoked_at IS NULL AND at = :at AND by_user = :by_user ORDER BY id"
)
_REVOKED = sa.text(
    "SELECT left_id, right_id, says FROM identity.verdict WHERE revoked_at = :at AND revoked_by = :by_user"
    " ORDER BY id"
)


class NotTogetherError(PermanentError):
    """A decision that cannot be: about one number, or numbers that are not that person's."""

    code = "not_together"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a person decided of two numbers."""

    id: int
    left_id: int
    right_id: int
    says: Says
    reason: str
    by_user: str
    at: datetime
    revoked_at: datetime | None
    revoked_by: str | None
    revoke_reason: str | None
    left_facility: str
    left_number: str
    right_facility: str
    right_number: str

    @property
    def facilities(self) -> tuple[str, str]:
        """The campuses of both numbers."""
        return self.left_facility, self.right_facility


@dataclass(frozen=True, slots=True)
class Move:
    """One line of the ledger: a number went from one person to another."""

    id: int
    source_patient_id: int
    facility: str
    number: str
    from_person: UUID | None
    """None: it was registered."""
    to_person: UUID
    origin: str
    rule: str
    rule_version: int
    weight: float | None
    model_version: str | None
    at: datetime
    message_id: int | None
    by_user: str | None
    reason: str | None


def verdict(connection: sa.Connection, id_: int) -> Verdict | None:
    """Return one decision, or None."""
    row = connection.execute(_VERDICT, {"id": id_}).mappings().one_or_none()
    return None if row is None else Verdict(**row)


def verdicts(connection: sa.Connection, ids: Collection[int]) -> list[Verdict]:
    """Return all decisions about some numbers, oldest first, those taken back included."""
    return [Verdict(**row) for row in connection.execute(_VERDICTS_OF, {"ids": list(ids)}).mappings()]


def move(connection: sa.Connection, id_: int) -> Move | None:
    """Return one line of the ledger, or None."""
    row = connection.execute(_MOVE, {"id": id_}).mappings().one_or_none()
    return None if row is None else Move(**row)


def moves(connection: sa.Connection, person: UUID, ids: Collection[int]) -> list[Move]:
    """Return what happened to a person and to some numbers, oldest first."""
    rows = connection.execute(_MOVES_OF, {"person": person, "ids": list(ids)}).mappings()
    return [Move(**row) for row in rows]


def decide(connection: sa.Connection, pair: tuple[int, int], says: Says, reason: str, by_user: str) -> int:
    """Say whether two numbers are one person; returns the decision. Raises NotTogetherError."""
    left, right = sorted(pair)
    if left == right:
        raise NotTogetherError("that is one number twice: name two")
    return service.decide(connection, left, right, says, reason, by_user)


def separate(
    connection: sa.Connection, person: UUID, leaving: Collection[int], reason: str, by_user: str
) -> list[int]:
    """Split a person: none of the leaving numbers is the same as any that stays; returns the decisions.

    Raises:
        NotTogetherError: a leaving number is not this person's, or nobody would stay.
    """
    linked = {one.patient.id for one in reading.of_persons(connection, [person])}
    if not leaving or not set(leaving) <= linked:
        raise NotTogetherError("not all of these numbers are linked to this person: look at the person again")
    staying = linked - set(leaving)
    if not staying:
        raise NotTogetherError("all numbers of this person would leave: name those that are somebody else's")
    return keep_apart(connection, [(a, b) for a in sorted(leaving) for b in sorted(staying)], reason, by_user)


def keep_apart(
    connection: sa.Connection, pairs: Sequence[tuple[int, int]], reason: str, by_user: str
) -> list[int]:
    """Say of every pair that it is not one person; returns the decisions."""
    return [decide(connection, pair, "different", reason, by_user) for pair in pairs]


def revoke(connection: sa.Connection, verdict: Verdict, reason: str, by_user: str) -> None:
    """Take a decision back. Raises ConflictError when it was taken back before."""
    if verdict.revoked_at is not None:
        raise ConflictError(f"{verdict.revoked_by} has taken it back already")
    service.revoke(connection, verdict.id, by_user, reason)


def undo(connection: sa.Connection, moved: Move, reason: str, by_user: str) -> list[int]:
    """Undo one line of the ledger, for all numbers that went the same way with it; returns the decisions
    that were made, or taken back, for it.

    What people decided is taken back, and what they took back is decided again. What automation did is
    outranked by a decision: the numbers are kept apart from those they had joined, and with those they had
    left.

    Raises:
        ConflictError: it was a registration, or the numbers have moved on since.
    """
    if moved.from_person is None:
        raise ConflictError("the number was registered then: separate it from the others instead")
    if moved.by_user is not None:
        return _take_back(connection, moved, reason, by_user)
    here = [one.patient.id for one in reading.of_persons(connection, [moved.to_person])]
    if moved.source_patient_id not in here:
        raise ConflictError("the number has moved on since: undo its later moves first")
    along = set(connection.execute(_ALONG, _together(moved)).scalars()) & set(here)
    joined = [(a, b) for a in sorted(along) for b in here if b not in along]
    left = [one.patient.id for one in reading.of_persons(connection, [moved.from_person])]
    if not joined and not left:
        raise ConflictError("the numbers have moved on since: undo their later moves first")
    made = keep_apart(connection, joined, reason, by_user)
    if left:
        made.append(decide(connection, (moved.source_patient_id, left[0]), "same", reason, by_user))
    return made


def _take_back(connection: sa.Connection, moved: Move, reason: str, by_user: str) -> list[int]:
    """Take back the decisions that were made at that moment by that person; where they took some back then,
    decide so again.
    """
    made = list(connection.execute(_MADE, _together(moved)).scalars())
    for id_ in made:
        service.revoke(connection, id_, by_user, reason)
    revoked = connection.execute(_REVOKED, _together(moved)).all()
    again = [decide(connection, (row.left_id, row.right_id), row.says, reason, by_user) for row in revoked]
    if not made and not again:
        raise ConflictError("the decision behind it was taken back already")
    return made + again


def _together(moved: Move) -> dict[str, object]:
    """Return what finds the lines of the ledger that were written together with one."""
    return {
        "at": moved.at,
        "message_id": moved.message_id,
        "from_person": moved.from_person,
        "to_person": moved.to_person,
        "by_user": moved.by_user,
    }
