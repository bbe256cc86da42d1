"""What became of notifications, for people, and what they decide about those that wait for them.

Each call is in the caller's transaction. Nothing here holds an address or a text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from bus.delivery.decide import State
from consortium.errors import ConflictError, PermanentError

NEWEST = 2**63 - 1
_COLUMNS = (
    "d.id, d.channel, d.party, d.state, d.code, d.reason, d.attempts, d.reference, d.created_at,"
    " d.not_before, d.expires_at, d.sent_at, d.answered_at, d.done_at, d.decided_by, d.decided_at,"
    " d.decided_why, n.id AS notification_id, n.workflow_id, n.step, n.subject, n.facility, n.template"
)
_FROM = " FROM workflow.dispatch d JOIN workflow.notification n ON n.id = d.notification_id"
_LIST = sa.text(
    f"SELECT {_COLUMNS}{_FROM} WHERE d.id < :before"
    " AND (CAST(:facility AS text) IS NULL OR n.facility = :facility)"
    " AND (CAST(:channel AS text) IS NULL OR d.channel = :channel)"
    " AND (CAST(:workflow_id AS text) IS NULL OR n.workflow_id = :workflow_id)"
    " AND (CAST(:states AS text[]) IS NULL OR d.state = ANY(:states)) ORDER BY d.id DESC LIMIT :limit"
)
_ONE = sa.text(f"SELECT {_COLUMNS}{_FROM} WHERE d.id = :id")
_LOCK = sa.text("SELECT state FROM workflow.dispatch WHERE id = :id FOR UPDATE")
# Who resends has found out that it did not arrive, or wants it to arrive twice: it counts as not sent before.
# A channel that honours keys still gets the same key.
_DECIDE = sa.text(
    "UPDATE workflow.dispatch SET state = :state, refusals = 0, unsure = false, tried_at = NULL,"
    " not_before = NULL, expires_at = CASE WHEN :state = 'queued' THEN"
    " greatest(expires_at, clock_timestamp() + interval '1 hour') ELSE expires_at END,"
    " done_at = CASE WHEN :state = 'discarded' THEN clock_timestamp() END,"
    " decided_by = :by, decided_at = clock_timestamp(), decided_why = :why WHERE id = :id"
)


class NoDispatchError(PermanentError):
    """There is none of that number."""


class NotStuckError(ConflictError):
    """It waits for nobody; the text says what it is."""


@dataclass(frozen=True, slots=True)
class Dispatch:
    """One notification on its way to one person by one channel."""

    id: int
    channel: str
    party: str
    """staff:<account>, person:<uuid>, or duty:<campus>/<duty> that nobody has."""
    state: State
    code: str | None
    reason: str | None
    attempts: int
    reference: str | None
    created_at: datetime
    not_before: datetime | None
    expires_at: datetime | None
    sent_at: datetime | None
    answered_at: datetime | None
    done_at: datetime | None
    decided_by: str | None
    decided_at: datetime | None
    decided_why: str | None
    notification_id: int
    workflow_id: str
    step: str
    subject: str
    facility: str
    template: str

    @property
    def person_id(self) -> UUID | None:
        """The golden person it is for, if it is for a patient."""
        kind, _, key = self.party.partition(":")
        return UUID(key) if kind == "person" else None


def dispatches(
    connection: sa.Connection,
    *,
    facility: str | None = None,
    channel: str | None = None,
    workflow_id: str | None = None,
    states: Sequence[State] | None = None,
    limit: int = 100,
    before: int = NEWEST,
) -> list[Dispatch]:
    """Return the newest first, those with a number below `before`."""
    values = {
        "facility": facility,
        "channel": channel,
        "workflow_id": workflow_id,
        "states": None if states is None else [state.value for state in states],
        "limit": limit,
        "before": before,
    }
    return [_read(row) for row in connection.execute(_LIST, values).mappings()]


def dispatch(connection: sa.Connection, id_: int) -> Dispatch:
    """Return one. Raises NoDispatchError."""
    row = connection.execute(_ONE, {"id": id_}).mappings().one_or_none()
    if row is None:
        raise NoDispatchError(f"there is no dispatch {id_} of a notification")
    return _read(row)


def resend(connection: sa.Connection, id_: int, by: str, why: str) -> None:
    """Queue one again that waits for a person; it gets an hour at least. Raises NoDispatchError,
    NotStuckError.
    """
    _decide(connection, id_, State.QUEUED, by, why)


def discard(connection: sa.Connection, id_: int, by: str, why: str) -> None:
    """Give one up that waits for a person. Raises NoDispatchError, NotStuckError."""
    _decide(connection, id_, State.DISCARDED, by, why)


def _decide(connection: sa.Connection, id_: int, state: State, by: str, why: str) -> None:
    found = connection.execute(_LOCK, {"id": id_}).scalar_one_or_none()
    if found is None:
        raise NoDispatchError(f"there is no dispatch {id_} of a notification")
    if not State(found).stuck:
        raise NotStuckError(
            f"dispatch {id_} is {found}: only a parked or ambiguous one waits for you",
            zh=f"通知 {id_} 的状态为 {found}：只有被搁置（parked）或结果不明（ambiguous）的才需人工处理",
        )
    connection.execute(_DECIDE, {"id": id_, "state": state.value, "by": by, "why": why})


def _read(row: sa.RowMapping) -> Dispatch:
    return Dispatch(**{**row, "state": State(row["state"])})
