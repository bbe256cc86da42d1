"""Notifications: what a person is told, through the in-app channel (`workflow.notification`)."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, text

_WRITE = text(
    "INSERT INTO workflow.notification"
    " (workflow_id, step, subject, subject_id, facility, duty, recipient, level)"
    " VALUES (:workflow_id, :step, :subject, :subject_id, :facility, :duty, :recipient, :level)"
    " ON CONFLICT (workflow_id, step) DO NOTHING"
)
_TOLD = text(
    "SELECT duty, recipient, level FROM workflow.notification"
    " WHERE workflow_id = :workflow_id AND subject = :subject ORDER BY level"
)


@dataclass(frozen=True, slots=True)
class Notification:
    """One notification. It refers to its subject, which is read under the reader's own access rights."""

    workflow_id: str
    step: str
    subject: str
    subject_id: UUID
    facility: str
    duty: str
    recipient: str | None
    """Staff number or department code in the facility; None: whoever has the duty there."""
    level: int = 0


@dataclass(frozen=True, slots=True)
class Recipient:
    """Somebody who was told."""

    duty: str
    recipient: str | None
    level: int


def write(connection: Connection, notification: Notification) -> bool:
    """Write it in the caller's transaction; False when this step of the workflow has written it before."""
    values = {name: getattr(notification, name) for name in Notification.__slots__}
    return connection.execute(_WRITE, values).rowcount == 1


def told(connection: Connection, workflow_id: str, subject: str) -> list[Recipient]:
    """Return who was told of that subject by that workflow, by level."""
    rows = connection.execute(_TOLD, {"workflow_id": workflow_id, "subject": subject})
    return [Recipient(row.duty, row.recipient, row.level) for row in rows]
