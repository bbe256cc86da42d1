"""The review queue: pairs of numbers about which a person decides, in the caller's transaction.

What is decided takes effect in the same transaction. A decision first takes the locks of identity and then
the review's row, in the order of the pass that opens reviews: so neither waits for the other in a ring.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import sqlalchemy as sa

from consortium.errors import ConflictError
from consortium.identity import service
from consortium.records.paging import cursor, position

Says = Literal["same", "different"]
State = Literal["open", "claimed", "decided", "withdrawn"]
STANDING: tuple[State, ...] = ("open", "claimed")

_COLUMNS = """
SELECT r.id, r.left_id, r.right_id, r.reason, r.weight, r.model_version, r.evidence, r.state, r.opened_at,
       r.message_id, r.claimed_by, r.claimed_at, r.decided_by, r.decided_at, r.verdict_id,
       v.says, v.reason AS why, v.revoked_at, v.revoked_by,
       a.facility AS left_facility, b.facility AS right_facility
  FROM identity.review r
  JOIN identity.source_patient a ON a.id = r.left_id
  JOIN identity.source_patient b ON b.id = r.right_id
  LEFT JOIN identity.verdict v ON v.id = r.verdict_id
"""
# S608 below: two constants of this module are joined.
_LIST = sa.text(
    _COLUMNS
    + """
 WHERE r.state = ANY(:states)
   AND (CAST(:reason AS text) IS NULL OR r.reason = :reason)
   AND (CAST(:facility AS text) IS NULL OR a.facility = :facility OR b.facility = :facility)
   AND (CAST(:by_user AS text) IS NULL OR r.claimed_by = :by_user OR r.decided_by = :by_user)
   AND (CAST(:at AS timestamptz) IS NULL OR (r.opened_at, r.id) > (:at, CAST(:id AS uuid)))
 ORDER BY r.opened_at, r.id LIMIT :limit
"""
)
_GET = sa.text(_COLUMNS + " WHERE r.id = :id")
_CLAIM = sa.text(
    "UPDATE identity.review SET state = 'claimed', claimed_by = :by_user, claimed_at = clock_timestamp()"
    " WHERE id = :id AND (state = 'open' OR (state = 'claimed' AND claimed_by = :by_user))"
)
_RELEASE = sa.text(
    "UPDATE identity.review SET state = 'open', claimed_by = NULL, claimed_at = NULL"
    " WHERE id = :id AND state = 'claimed' AND (claimed_by = :by_user OR :anybody)"
)
_DECIDED = sa.text(
    "UPDATE identity.review SET state = 'decided', decided_by = :by_user, decided_at = clock_timestamp(),"
    " verdict_id = :verdict_id"
    " WHERE id = :id AND (state = 'open' OR (state = 'claimed' AND claimed_by = :by_user)"
    " OR (verdict_id = :verdict_id AND decided_by = :by_user))"
)
_REOPEN = sa.text(
    "INSERT INTO identity.review (left_id, right_id, reason, weight, model_version, evidence, message_id)"
    " SELECT left_id, right_id, reason, weight, model_version, evidence, message_id"
    " FROM identity.review WHERE id = :id"
    " ON CONFLICT (left_id, right_id) WHERE state IN ('open', 'claimed') DO NOTHING"
)
_STANDING = sa.text(
    _COLUMNS + " WHERE r.left_id = :left_id AND r.right_id = :right_id AND r.state IN ('open', 'claimed')"
)


@dataclass(frozen=True, slots=True)
class Review:
    """One pair that a person looks at, or looked at."""

    id: UUID
    left_id: int
    right_id: int
    left_facility: str
    right_facility: str
    reason: str
    weight: float | None
    """log2 of the match weight: 10 is 1,024 to 1 for one person, -10 is as much against."""
    model_version: str
    evidence: Sequence[dict[str, Any]]
    """What the weight is made of: field, level, weight."""
    state: State
    opened_at: datetime
    message_id: int | None
    claimed_by: str | None
    claimed_at: datetime | None
    decided_by: str | None
    decided_at: datetime | None
    verdict_id: int | None
    says: Says | None
    why: str | None
    revoked_at: datetime | None
    """When the decision was taken back."""
    revoked_by: str | None

    @property
    def facilities(self) -> tuple[str, str]:
        """The campuses of both numbers."""
        return self.left_facility, self.right_facility


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which reviews are looked for; every field that is given narrows."""

    states: Sequence[State] = STANDING
    reason: str | None = None
    facility: str | None = None
    """A campus of either number."""
    by_user: str | None = None
    """Who claimed or decided it."""
    limit: int = 50
    after: str | None = None
    """`Reviews.after` of the page before."""


@dataclass(frozen=True, slots=True)
class Reviews:
    """A page, oldest first."""

    items: list[Review]
    after: str | None


def reviews(connection: sa.Connection, wanted: Wanted) -> Reviews:
    """Return the oldest first. Raises BadCursorError."""
    at, id_ = position(wanted.after) if wanted.after else (None, None)
    values = {
        "states": list(wanted.states),
        "reason": wanted.reason,
        "facility": wanted.facility,
        "by_user": wanted.by_user,
        "at": at,
        "id": id_,
        "limit": wanted.limit + 1,
    }
    found = [Review(**row) for row in connection.execute(_LIST, values).mappings()]
    kept = found[: wanted.limit]
    more = len(found) > wanted.limit
    return Reviews(kept, cursor(kept[-1].opened_at, kept[-1].id) if more else None)


def get(connection: sa.Connection, id_: UUID) -> Review | None:
    """Return one review, or None."""
    row = connection.execute(_GET, {"id": id_}).mappings().one_or_none()
    return None if row is None else Review(**row)


def claim(connection: sa.Connection, review: Review, by_user: str) -> Review:
    """Take a review for oneself; one's own again changes nothing. Raises ConflictError."""
    done = connection.execute(_CLAIM, {"id": review.id, "by_user": by_user})
    return _after(connection, review, done)


def release(connection: sa.Connection, review: Review, by_user: str, *, anybody: bool = False) -> Review:
    """Give a claimed review back to the queue; `anybody`: also another's. Raises ConflictError."""
    done = connection.execute(_RELEASE, {"id": review.id, "by_user": by_user, "anybody": anybody})
    return _after(connection, review, done)


def decide(connection: sa.Connection, review: Review, says: Says, reason: str, by_user: str) -> Review:
    """Decide a review; links move before this returns. Raises ConflictError."""
    if review.state not in STANDING or review.claimed_by not in (None, by_user):
        raise ConflictError(_standing(review))
    verdict_id = service.decide(connection, review.left_id, review.right_id, says, reason, by_user)
    done = connection.execute(_DECIDED, {"id": review.id, "by_user": by_user, "verdict_id": verdict_id})
    return _after(connection, review, done)


def undo(connection: sa.Connection, review: Review, reason: str, by_user: str) -> Review:
    """Take the decision of a review back; returns the review that is open for the pair now.

    The decided one stays as it is: it tells who decided what. Raises ConflictError.
    """
    if review.verdict_id is None or review.revoked_at is not None:
        raise ConflictError(_standing(review) if review.revoked_at is None else "it was taken back already")
    service.revoke(connection, review.verdict_id, by_user, reason)
    connection.execute(_REOPEN, {"id": review.id})
    pair = {"left_id": review.left_id, "right_id": review.right_id}
    return Review(**connection.execute(_STANDING, pair).mappings().one())


def _after(connection: sa.Connection, review: Review, done: sa.CursorResult[Any]) -> Review:
    now = get(connection, review.id)
    if now is None or done.rowcount != 1:
        raise ConflictError(_standing(now or review))
    return now


def _standing(review: Review) -> str:
    if review.state == "claimed":
        return f"{review.claimed_by} has claimed it: ask them, or take another"
    if review.state == "decided":
        return f"{review.decided_by} has decided it: undo that first"
    return f"it is {review.state}" + (": claim it first" if review.state == "open" else "")
