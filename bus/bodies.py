"""Reading messages back with their bodies.

A body lies apart from its index row, in the partition of the day it came. Everything that needs bodies reads
them here or from the view `bus.message`; NULL is a body that retention dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from bus.envelope import Stored

STEP: Final = "body_dropped"
"""Trace step of a body that was dropped later than its day's others, because its message was not finished."""

REFUSED: Final = "the bytes of this refusal were dropped by retention; its reason is kept"

ONE = sa.text(
    "SELECT id, received_at, facility, sender, control_id, message_type, protocol, endpoint, charset,"
    " patient_number, visit_number, message_time, body FROM bus.message WHERE id = :id"
)
# The ids are named for both tables and the times for the second, so that only the partitions of those times
# are asked, and those for these ids alone.
MANY = sa.text(
    "SELECT i.id, i.received_at, i.facility, i.sender, i.control_id, i.message_type, i.protocol, i.endpoint,"
    " i.charset, i.patient_number, i.visit_number, i.message_time, b.body"
    " FROM bus.inbox i LEFT JOIN bus.body b ON b.id = i.id AND b.received_at = i.received_at"
    " AND b.id = ANY(:ids) AND b.received_at >= :since AND b.received_at <= :until"
    " WHERE i.id = ANY(:ids) ORDER BY i.id"
)
DROPPED = sa.text(
    "SELECT coalesce((SELECT max(at) FROM bus.trace WHERE message_id = :id AND step = :step),"
    " (SELECT max(at) FROM bus.retention WHERE what = 'bodies' AND since <= :received AND until > :received))"
)


def one(connection: sa.Connection, id_: int) -> Stored | None:
    """Return a message; None when there is none."""
    row = connection.execute(ONE, {"id": id_}).mappings().one_or_none()
    return None if row is None else Stored(**row)


def read(connection: sa.Connection, messages: Sequence[tuple[int, datetime]]) -> list[Stored]:
    """Return messages, named by id and exact time of receipt, in inbox order."""
    if not messages:
        return []
    ids, times = zip(*messages, strict=True)
    found = connection.execute(MANY, {"ids": list(ids), "since": min(times), "until": max(times)})
    return [Stored(*row) for row in found]


def dropped_at(connection: sa.Connection, id_: int, received_at: datetime) -> datetime | None:
    """Return when retention dropped the body of a message received at that time; None: not known."""
    values = {"id": id_, "step": STEP, "received": received_at}
    at: datetime | None = connection.execute(DROPPED, values).scalar_one()
    return at


def told(connection: sa.Connection, id_: int, received_at: datetime) -> str:
    """Return the sentence for people about a body that is not there any more."""
    at = dropped_at(connection, id_, received_at)
    when = f" on {at.astimezone():%Y-%m-%d}" if at else ""
    return f"the body of message {id_} was dropped{when} by retention: its sender has to send it again"
