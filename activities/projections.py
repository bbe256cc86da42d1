"""What PostgreSQL has of a workflow: the state that people read, and whom it told. No patient.

A workflow package adds its projection to `RECORDED`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from consortium.records import critical
from consortium.referral import store
from consortium.referral.errors import UnknownReferralError

_STEPS = text(
    "SELECT step, subject, duty, level, created_at FROM workflow.notification"
    " WHERE workflow_id = :workflow_id ORDER BY id LIMIT 200"
)
_CONSULTATION = text(
    "SELECT state, COALESCE(owner_facility, requesting_facility) AS facility, escalation_level"
    " FROM teleconsult.consultation WHERE id = :id"
)
_UUID = 36
"""Characters of a UUID."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """The business state, as PostgreSQL has it: it counts where Temporal's list says otherwise."""

    state: str
    facility: str
    level: int


@dataclass(frozen=True, slots=True)
class Step:
    """Somebody was told."""

    step: str
    subject: str
    duty: str
    level: int
    at: datetime


Projection = Callable[[Connection, UUID], Recorded | None]


def critical_value(connection: Connection, id_: UUID) -> Recorded | None:
    """Return the state of a critical value."""
    row = critical.get_critical(connection, id_)
    return None if row is None else Recorded(row["state"], row["facility"], row["escalation_level"])


def referral(connection: Connection, id_: UUID) -> Recorded | None:
    """Return the state of a referral, with the hospital that owes the next step; at its end the receiver."""
    try:
        row = store.get(connection, id_)
    except UnknownReferralError:
        return None
    return Recorded(row["state"], row["owner_facility"] or row["receiving_facility"], row["escalation_level"])


def consultation(connection: Connection, id_: UUID) -> Recorded | None:
    """Return the state of a consultation."""
    row = connection.execute(_CONSULTATION, {"id": id_}).one_or_none()
    return None if row is None else Recorded(row.state, row.facility, row.escalation_level)


RECORDED: Mapping[str, Projection] = {
    "critical-value": critical_value,
    "referral": referral,
    "consultation": consultation,
}
"""By the prefix of the workflow id, which is followed by a hyphen and a UUID."""


def recorded(connection: Connection, workflow_id: str) -> Recorded | None:
    """Return what PostgreSQL has of a workflow; None where that is nothing, or it is of no such kind."""
    projection = RECORDED.get(workflow_id[: -_UUID - 1])
    try:
        subject = UUID(workflow_id[-_UUID:])
    except ValueError:
        return None
    return projection(connection, subject) if projection else None


def steps(connection: Connection, workflow_id: str) -> list[Step]:
    """Return whom a workflow told, first to last."""
    rows = connection.execute(_STEPS, {"workflow_id": workflow_id})
    return [Step(row.step, row.subject, row.duty, row.level, row.created_at) for row in rows]
