"""What people do to destinations and their deliveries. Each call in the caller's transaction."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from bus import trace
from bus.delivery.decide import State
from consortium.errors import ConflictError, PermanentError


class Mode(enum.StrEnum):
    """What people want of a destination."""

    RUNNING = "running"
    PAUSED = "paused"
    """Nothing is sent; messages are queued all the same."""
    DRAINING = "draining"
    """What was queued when it was told is sent, then it pauses."""


class NoDeliveryError(PermanentError):
    """There is no such delivery."""


class NotStuckError(ConflictError):
    """The delivery waits for nobody; the text says what it is."""


SET = sa.text(
    "INSERT INTO bus.destination AS d (name, mode, drain_to, changed_by, why)"
    " VALUES (:name, :mode, CASE WHEN :mode = 'draining' THEN"
    " (SELECT coalesce(max(id), 0) FROM bus.delivery WHERE destination = :name AND done_at IS NULL) END,"
    " :by, :why) ON CONFLICT (name) DO UPDATE SET mode = excluded.mode, drain_to = excluded.drain_to,"
    " changed_at = clock_timestamp(), changed_by = excluded.changed_by, why = excluded.why"
)
LOCK = sa.text("SELECT destination, message_id, state FROM bus.delivery WHERE id = :id FOR UPDATE")
DECIDE = sa.text(
    "UPDATE bus.delivery SET state = :state, refusals = 0, tried_at = NULL, not_before = NULL,"
    " done_at = CASE WHEN :state = 'discarded' THEN clock_timestamp() END,"
    " decided_by = :by, decided_at = clock_timestamp(), decided_why = :why WHERE id = :id"
)
STUCK = sa.text(
    "SELECT id FROM bus.delivery WHERE destination = :name AND done_at IS NULL"
    " AND state IN ('ambiguous', 'parked') AND state = coalesce(CAST(:state AS text), state)"
    " AND code IS NOT DISTINCT FROM coalesce(CAST(:code AS text), code) ORDER BY id"
)


@dataclass(frozen=True, slots=True)
class Decided:
    """A delivery that somebody decided about."""

    id: int
    destination: str
    message_id: int
    at: datetime | None = None


def set_mode(connection: sa.Connection, name: str, mode: Mode, by: str, why: str) -> None:
    """Pause, resume or drain a destination. `why` must hold no patient data."""
    connection.execute(SET, {"name": name, "mode": mode.value, "by": by, "why": why})


def stuck_ids(
    connection: sa.Connection, name: str, *, state: State | None = None, code: str | None = None
) -> Sequence[int]:
    """Return the parked and ambiguous deliveries of a destination, oldest first."""
    values = {"name": name, "state": None if state is None else state.value, "code": code}
    return connection.execute(STUCK, values).scalars().all()


def resend(connection: sa.Connection, id_: int, by: str, why: str) -> Decided:
    """Queue a parked or ambiguous delivery again; those of its patient behind it follow.

    The receiver gets it a second time where it had taken an ambiguous one: that is the caller's decision.
    Raises NoDeliveryError, NotStuckError.
    """
    return _decide(connection, id_, State.QUEUED, trace.DELIVERY_RESENT, by, why)


def discard(connection: sa.Connection, id_: int, by: str, why: str) -> Decided:
    """Give a parked or ambiguous delivery up; those of its patient behind it go on.

    The row, its bytes and its answer stay. Raises NoDeliveryError, NotStuckError.
    """
    return _decide(connection, id_, State.DISCARDED, trace.DELIVERY_DISCARDED, by, why)


def _decide(connection: sa.Connection, id_: int, state: State, step: str, by: str, why: str) -> Decided:
    row = connection.execute(LOCK, {"id": id_}).one_or_none()
    if row is None:
        raise NoDeliveryError(
            f"there is no delivery {id_}; find it with ./yilian destinations show NAME",
            zh=f"没有编号为 {id_} 的投递；请用 ./yilian destinations show NAME 查找",
        )
    if not State(row.state).stuck:
        raise NotStuckError(
            f"delivery {id_} is {row.state}: only a parked or ambiguous one waits for you",
            zh=f"投递 {id_} 的状态为 {row.state}：只有被搁置（parked）或结果不明（ambiguous）的才需人工处理",
        )
    connection.execute(DECIDE, {"id": id_, "state": state.value, "by": by, "why": why})
    detail = {"destination": row.destination, "by": by, "why": why}
    trace.write(connection, [trace.Step(row.message_id, step, detail)])
    return Decided(id_, row.destination, row.message_id)
