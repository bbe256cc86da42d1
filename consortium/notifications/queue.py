"""Asking that somebody be told: a row in the caller's transaction, once for each step of a workflow.

What commits is told, what rolls back is not; nothing is sent here. The row is at once what people read in the
application; `bus.notifying` spreads it to the other channels of its template.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy import Connection, text

from consortium.notifications.model import Notice

_ASK = text(
    "INSERT INTO workflow.notification (workflow_id, step, subject, subject_id, facility, duty, recipient,"
    " person_id, template, variables, level, expires_at)"
    " VALUES (:workflow_id, :step, :subject, :subject_id, :facility, :audience, :recipient,"
    " :person_id, :template, CAST(:variables AS jsonb), :level, :expires_at)"
    " ON CONFLICT ON CONSTRAINT notification_once DO NOTHING"
)
_TOLD = text(
    "SELECT duty, recipient, level FROM workflow.notification"
    " WHERE workflow_id = :workflow_id AND subject = :subject ORDER BY level, id"
)
_PLAIN = (
    "workflow_id",
    "step",
    "subject",
    "subject_id",
    "facility",
    "audience",
    "recipient",
    "person_id",
    "template",
    "level",
    "expires_at",
)


@dataclass(frozen=True, slots=True)
class Told:
    """Somebody who was told."""

    duty: str
    """`staff`, `patient`, or the duty."""
    recipient: str | None
    level: int


def ask(connection: Connection, notice: Notice) -> bool:
    """Ask that somebody be told; False when this step of the workflow has asked for them before."""
    values = {name: getattr(notice, name) for name in _PLAIN}
    values["variables"] = json.dumps(dict(notice.values), ensure_ascii=False)
    return connection.execute(_ASK, values).rowcount == 1


def told(connection: Connection, workflow_id: str, subject: str) -> list[Told]:
    """Return who was told of that subject by that workflow, by level."""
    rows = connection.execute(_TOLD, {"workflow_id": workflow_id, "subject": subject})
    return [Told(row.duty, row.recipient, row.level) for row in rows]
