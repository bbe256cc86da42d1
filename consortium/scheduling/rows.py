"""Slots and bookings as they are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

import sqlalchemy as sa

from consortium.scheduling.errors import UnknownError
from consortium.scheduling.model import Booking, Slot

Closed = Literal["withdrawn", "over", "absent"]
CLOSED: Mapping[Closed, tuple[str, str]] = {
    "withdrawn": ("the slot is offered no more", "该时段已停诊"),
    "over": ("the slot is over", "该时段已过"),
    "absent": ("the expert is away at that time", "专家该时段不在岗"),
}
"""Why nobody may have a slot, in English and Chinese."""

ABSENT = (
    "EXISTS (SELECT 1 FROM scheduling.absence a WHERE a.username = r.username AND a.duty = ''"
    " AND a.withdrawn_at IS NULL AND a.during && s.during)"
)
"""Of slot `s` and resource `r`: the expert is away from everything."""

_BOOKING = (
    "SELECT id, business_key, subject, resource_id, slot_id, lower(during) AS start, upper(during) AS end_,"
    " state, held_until, held_by, moves, changed_at FROM scheduling.booking"
)
_SLOTS = sa.text(
    "SELECT id, resource_id, lower(during) AS start, upper(during) AS end_ FROM scheduling.slot"
    " WHERE id = ANY(:ids)"
)
_NEWEST = sa.text(
    f"{_BOOKING} WHERE business_key = :key"
    " ORDER BY (state IN ('held', 'confirmed')) DESC, held_at DESC LIMIT 1"
)
_ACTIVE = sa.text(f"{_BOOKING} WHERE business_key = :key AND state IN ('held', 'confirmed')")
_TAKING = sa.text(
    f"{_BOOKING} WHERE state IN ('held', 'confirmed')"  # noqa: S608 - a constant
    " AND resource_id = (SELECT resource_id FROM scheduling.slot WHERE id = :slot)"
    " AND during && (SELECT during FROM scheduling.slot WHERE id = :slot)"
    " AND id IS DISTINCT FROM CAST(:apart_from AS uuid) LIMIT 1"
)
_OF_RESOURCE = sa.text(
    f"{_BOOKING} WHERE resource_id = :resource AND during && tstzrange(:since, :until)"
    " AND (state = 'confirmed' OR (state = 'held' AND held_until > clock_timestamp())) ORDER BY during, id"
)
_STANDING = sa.text(
    "SELECT state = 'confirmed' OR (state = 'held' AND held_until > clock_timestamp())"
    " FROM scheduling.booking WHERE id = :id"
)
_CLOSED = sa.text(
    "SELECT CASE WHEN s.withdrawn_at IS NOT NULL THEN 'withdrawn'"  # noqa: S608 - a constant
    f" WHEN upper(s.during) <= clock_timestamp() THEN 'over' WHEN {ABSENT} THEN 'absent' END"
    " FROM scheduling.slot s JOIN scheduling.resource r ON r.id = s.resource_id WHERE s.id = :slot"
)


def slots(connection: sa.Connection, ids: Sequence[UUID]) -> dict[UUID, Slot]:
    """Return slots by id. Raises UnknownError for one that was never published."""
    found = {
        row["id"]: Slot(row["id"], row["resource_id"], row["start"], row["end_"])
        for row in connection.execute(_SLOTS, {"ids": list(ids)}).mappings()
    }
    if missing := [id_ for id_ in ids if id_ not in found]:
        raise UnknownError(f"there is no slot {missing[0]}")
    return found


def booking(connection: sa.Connection, key: str) -> Booking:
    """Return a business key's booking: the active one, else the newest. Raises UnknownError."""
    row = connection.execute(_NEWEST, {"key": key}).mappings().one_or_none()
    if row is None:
        raise UnknownError("there is no booking with that key")
    return as_booking(row)


def active(connection: sa.Connection, key: str) -> Booking | None:
    """Return what a business key holds or has booked."""
    row = connection.execute(_ACTIVE, {"key": key}).mappings().one_or_none()
    return None if row is None else as_booking(row)


def taking(connection: sa.Connection, slot: UUID, *, apart_from: UUID | None = None) -> Booking | None:
    """Return the booking that has a slot's time."""
    row = connection.execute(_TAKING, {"slot": slot, "apart_from": apart_from}).mappings().one_or_none()
    return None if row is None else as_booking(row)


def of_resource(connection: sa.Connection, resource: UUID, since: datetime, until: datetime) -> list[Booking]:
    """Return what is held or booked of a resource in a time, the earliest first."""
    wanted = {"resource": resource, "since": since, "until": until}
    return [as_booking(row) for row in connection.execute(_OF_RESOURCE, wanted).mappings()]


def standing(connection: sa.Connection, booking: UUID) -> bool:
    """Tell whether a booking is confirmed, or held for longer than now."""
    return bool(connection.execute(_STANDING, {"id": booking}).scalar_one())


def closed(connection: sa.Connection, slot: UUID) -> Closed | None:
    """Tell why nobody may have a slot any more, or now; None: it is open."""
    found: Closed | None = connection.execute(_CLOSED, {"slot": slot}).scalar_one()
    return found


def as_booking(row: sa.RowMapping) -> Booking:
    """Return a row as a booking."""
    return Booking(
        id=row["id"],
        key=row["business_key"],
        subject=row["subject"],
        resource=row["resource_id"],
        slot=row["slot_id"],
        start=row["start"],
        end=row["end_"],
        state=row["state"],
        held_until=row["held_until"],
        held_by=row["held_by"],
        moves=row["moves"],
        changed_at=row["changed_at"],
    )
