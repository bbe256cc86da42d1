"""`bus.alert`: raised and cleared once, with the notices that are to go out, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from bus.alerts.conditions import Reading, Turn, turn
from consortium.errors import ConflictError

OPEN = sa.text("SELECT id, name, subject FROM bus.alert WHERE cleared_at IS NULL FOR UPDATE")
RAISE = sa.text(
    "INSERT INTO bus.alert (name, subject, value, threshold, detail)"
    " VALUES (:name, :subject, :value, :threshold, :detail) RETURNING id"
)
KEEP = sa.text("UPDATE bus.alert SET value = :value, threshold = :threshold, detail = :detail WHERE id = :id")
CLEAR = sa.text(
    "UPDATE bus.alert SET cleared_at = clock_timestamp(), value = coalesce(:value, value) WHERE id = :id"
)
NOTICE = sa.text(
    "INSERT INTO bus.alert_notice (alert_id, event, channel) VALUES (:id, :event, :channel)"
    " ON CONFLICT (alert_id, event, channel) DO NOTHING"
)
COLUMNS = (
    "id, name, subject, value, threshold, detail, raised_at, cleared_at,"
    " acknowledged_at, acknowledged_by, note"
)
LIST = sa.text(
    f"SELECT {COLUMNS} FROM bus.alert"  # noqa: S608 - a constant of this module
    " WHERE (:all OR cleared_at IS NULL) AND id < :before ORDER BY id DESC LIMIT :limit"
)
ONE = sa.text(f"SELECT {COLUMNS} FROM bus.alert WHERE id = :id")  # noqa: S608 - a constant of this module
ACKNOWLEDGE = sa.text(
    "UPDATE bus.alert SET acknowledged_at = clock_timestamp(), acknowledged_by = :by, note = :note"
    " WHERE id = :id AND acknowledged_at IS NULL"
)
UNTOLD = sa.text(
    "SELECT channel, count(*) AS count, max(attempts) AS attempts, max(last_error) AS last_error"
    " FROM bus.alert_notice WHERE delivered_at IS NULL AND last_error IS NOT NULL GROUP BY channel ORDER BY 1"
)
NEWEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert, from raised to cleared."""

    id: int
    name: str
    """queue_age, error_rate, silence, unmapped, process, gateway, disk, destination_age, destination_stuck,
    destination_breaker, subscriber_age, notification_stuck, notification_age,
    documents_store or workflow_wait.
    """
    subject: str
    value: float
    threshold: float
    detail: str
    raised_at: datetime
    cleared_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    note: str | None


def settle(
    connection: sa.Connection, readings: Sequence[Reading], channels: Sequence[str]
) -> tuple[list[int], list[int]]:
    """Raise and clear what the readings say; returns the ids raised and cleared now.

    What is no longer watched is cleared too. One at a time: the caller holds the lock.
    """
    open_ = {(row.name, row.subject): row.id for row in connection.execute(OPEN)}
    raised: list[int] = []
    cleared: list[int] = []
    for reading in readings:
        id_ = open_.pop((reading.name, reading.subject), None)
        move = turn(reading, open_=id_ is not None)
        values = {"value": reading.value, "threshold": reading.threshold, "detail": reading.detail}
        if move is Turn.RAISE:
            named = {"name": reading.name, "subject": reading.subject}
            raised.append(connection.execute(RAISE, values | named).scalar_one())
        elif move is Turn.KEEP:
            connection.execute(KEEP, values | {"id": id_})
        elif move is Turn.CLEAR and id_ is not None:
            connection.execute(CLEAR, {"id": id_, "value": reading.value})
            cleared.append(id_)
    for id_ in open_.values():
        connection.execute(CLEAR, {"id": id_, "value": None})
        cleared.append(id_)
    for event, ids in (("raised", raised), ("cleared", cleared)):
        for id_ in ids:
            for channel in channels:
                connection.execute(NOTICE, {"id": id_, "event": event, "channel": channel})
    return raised, cleared


def alerts(
    connection: sa.Connection, *, every: bool = False, limit: int = 100, before: int = NEWEST
) -> list[Alert]:
    """Return the open alerts, or every one, the newest first."""
    values = {"all": every, "limit": limit, "before": before}
    return [Alert(**row) for row in connection.execute(LIST, values).mappings()]


def alert(connection: sa.Connection, id_: int) -> Alert | None:
    """Return one; None when there is none of that number."""
    row = connection.execute(ONE, {"id": id_}).mappings().one_or_none()
    return None if row is None else Alert(**row)


def required(connection: sa.Connection, id_: int) -> Alert:
    """Return one that is there, as a notice's is."""
    return Alert(**connection.execute(ONE, {"id": id_}).mappings().one())


@dataclass(frozen=True, slots=True)
class Untold:
    """Notices that a channel could not tell yet."""

    channel: str
    count: int
    attempts: int
    last_error: str


def untold(connection: sa.Connection) -> list[Untold]:
    """Return by channel what failed and is tried again."""
    return [Untold(**row) for row in connection.execute(UNTOLD).mappings()]


def acknowledge(connection: sa.Connection, id_: int, by: str, note: str) -> None:
    """Note that somebody takes care. Raises ConflictError when another did already."""
    if connection.execute(ACKNOWLEDGE, {"id": id_, "by": by, "note": note}).rowcount:
        return
    found = alert(connection, id_)
    if found is not None and found.acknowledged_by != by:
        raise ConflictError(f"{found.acknowledged_by} has acknowledged this alert already")
