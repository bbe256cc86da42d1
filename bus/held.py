"""The held list: what cannot go on, why, and how a person lets it go on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from bus import trace
from bus.rules.decision import Hold
from consortium.errors import PermanentError


class NotHeldError(PermanentError):
    """The message is not held; the text says what it is."""


@dataclass(frozen=True, slots=True)
class HeldMessage:
    """One message of the held list."""

    message_id: int
    held_at: datetime
    facility: str
    message_type: str
    code: str
    reason: str
    rule: str | None
    step: str | None
    field: str | None
    waiting: int
    """How many messages wait behind it."""


@dataclass(frozen=True, slots=True)
class Group:
    """One reason, and how many messages it holds."""

    facility: str
    code: str
    rule: str | None
    field: str | None
    count: int
    oldest: datetime


OPEN = sa.text(
    "SELECT h.message_id, h.held_at, i.facility, i.message_type, h.code, h.reason, h.rule, h.step, h.field,"
    " (SELECT count(*) FROM bus.work w WHERE w.state = 2 AND w.blocked_by = h.message_id) AS waiting"
    " FROM bus.held h JOIN bus.inbox i ON i.id = h.message_id"
    " WHERE h.released_at IS NULL AND (CAST(:code AS text) IS NULL OR h.code = :code)"
    " AND (CAST(:facility AS text) IS NULL OR i.facility = :facility) AND h.message_id > :after"
    " ORDER BY h.message_id LIMIT :limit"
)
GROUPS = sa.text(
    "SELECT i.facility, h.code, h.rule, h.field, count(*) AS count, min(h.held_at) AS oldest"
    " FROM bus.held h JOIN bus.inbox i ON i.id = h.message_id WHERE h.released_at IS NULL"
    " GROUP BY 1, 2, 3, 4 ORDER BY count DESC, 1, 2, 3, 4"
)
HOLD = sa.text(
    "WITH parked AS (UPDATE bus.work SET state = :state WHERE id = ANY(:ids) AND state = 0 RETURNING id)"
    " INSERT INTO bus.held (message_id, code, reason, rule, step, field)"
    " SELECT id, :code, :reason, :rule, :step, :field FROM parked RETURNING message_id"
)
FREE = sa.text(
    "UPDATE bus.work SET state = 0, attempts = 0, not_before = NULL, published_at = NULL, blocked_by = NULL"
    " WHERE (id = :id AND state IN (1, 3)) OR (state = 2 AND blocked_by = :id) RETURNING id"
)
CLOSE = sa.text(
    "UPDATE bus.held SET released_at = clock_timestamp(), released_by = :by"
    " WHERE message_id = :id AND released_at IS NULL"
)
LOCK = sa.text(
    "SELECT i.id, w.state, w.blocked_by, w.patient_key, w.other_key,"
    " (SELECT array_agg(p.patient_key) FROM bus.work_further p WHERE p.id = i.id) AS others"
    " FROM bus.inbox i LEFT JOIN bus.work w USING (id) WHERE i.id = :id"
)


def list_held(
    connection: sa.Connection,
    *,
    code: str | None = None,
    facility: str | None = None,
    after: int = 0,
    limit: int = 100,
) -> list[HeldMessage]:
    """Return held messages, oldest first, from behind the message id `after`."""
    values = {"code": code, "facility": facility, "after": after, "limit": limit}
    return [HeldMessage(**row) for row in connection.execute(OPEN, values).mappings()]


def by_reason(connection: sa.Connection) -> list[Group]:
    """Return the reasons for which messages are held, the most frequent first."""
    return [Group(**row) for row in connection.execute(GROUPS).mappings()]


def hold(connection: sa.Connection, ids: Sequence[int], why: Hold, *, blocks: bool = True) -> list[int]:
    """Hold messages that are ready, for one reason; returns those that were held now."""
    values = {
        "ids": list(ids),
        "state": 1 if blocks else 3,
        "code": why.code,
        "reason": why.reason,
        "rule": why.rule,
        "step": why.step,
        "field": why.field,
    }
    parked = sorted(connection.execute(HOLD, values).scalars())
    trace.write(connection, [trace.Step(id_, trace.HELD, {"code": why.code}) for id_ in parked])
    return parked


def hold_dead(connection: sa.Connection, ids: Sequence[int]) -> list[int]:
    """Hold messages whose doorbells came back from the dead letter queue and are not done."""
    reason = "the router ended at each of its many deliveries; see the router's log, then replay"
    return hold(connection, ids, Hold("dead_lettered", reason, step="deliver"))


def release(connection: sa.Connection, message_id: int, by: str) -> list[int]:
    """Let a held message go on, and behind it, in inbox order, those that waited.

    Returns the ids that are ready again. Raises `NotHeldError`.
    """
    _held_now(connection, message_id)
    freed = sorted(connection.execute(FREE, {"id": message_id}).scalars())
    connection.execute(CLOSE, {"id": message_id, "by": by})
    steps = [trace.Step(message_id, trace.RELEASED, {"by": by})]
    steps += [trace.Step(id_, trace.RELEASED, {"behind": message_id}) for id_ in freed if id_ != message_id]
    trace.write(connection, steps)
    return freed


def discard(connection: sa.Connection, message_id: int, by: str, why: str) -> list[int]:
    """Give a held message up: it stays in the inbox, has no effect, and those behind it go on.

    `why` is kept in the trace and must hold no patient data. Returns the ids that are ready again. Raises
    `NotHeldError`.
    """
    _held_now(connection, message_id)
    freed = sorted(id_ for id_ in connection.execute(FREE, {"id": message_id}).scalars() if id_ != message_id)
    connection.execute(sa.text("DELETE FROM bus.work WHERE id = :id"), {"id": message_id})
    connection.execute(sa.text("DELETE FROM bus.work_further WHERE id = :id"), {"id": message_id})
    connection.execute(CLOSE, {"id": message_id, "by": by})
    trace.write(connection, [trace.Step(message_id, trace.DISCARDED, {"by": by, "why": why})])
    return freed


def no_message(message_id: int) -> NotHeldError:
    """Return the error of a number that no message has."""
    return NotHeldError(
        f"there is no message {message_id}; find it with ./yilian messages list",
        zh=f"没有编号为 {message_id} 的消息；请用 ./yilian messages list 查找",
    )


def on_its_way(message_id: int) -> NotHeldError:
    """Return the error of a message that is being handled."""
    return NotHeldError(
        f"message {message_id} is on its way; it is not held", zh=f"消息 {message_id} 正在处理中，并未挂起"
    )


def _held_now(connection: sa.Connection, message_id: int) -> None:
    row = connection.execute(LOCK, {"id": message_id}).one_or_none()
    if row is None:
        raise no_message(message_id)
    if row.state is None:
        raise NotHeldError(
            f"message {message_id} is done; it is not held", zh=f"消息 {message_id} 已处理完成，并未挂起"
        )
    if row.state == 2:
        raise NotHeldError(
            f"message {message_id} waits behind message {row.blocked_by}; replay that one",
            zh=f"消息 {message_id} 排在挂起的消息 {row.blocked_by} 之后；请先处理那一条",
        )
    if row.state == 0:
        raise on_its_way(message_id)
    keys = sorted({key for key in (row.patient_key, row.other_key, *(row.others or ())) if key is not None})
    connection.execute(
        sa.text("SELECT pg_advisory_xact_lock(k) FROM unnest(CAST(:keys AS bigint[])) AS k"), {"keys": keys}
    )
