"""Hold, confirm, move and release slots, so that nothing is ever booked twice.

The exclusion constraint of `scheduling.booking` is what guarantees that. Besides, whoever writes bookings of
a resource first locks its row, several in the order of their ids: so those who race queue up, and none of
them meets a deadlock. Holds that are over are ended under that lock, by the database's clock, in the
transaction that wants their time.

Every function runs in the caller's transaction, which should hold no more than one call: all slots of one
business step are one `hold`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from consortium.scheduling import rows
from consortium.scheduling.errors import (
    HoldExpiredError,
    KeyInUseError,
    NotActiveError,
    SlotTakenError,
    at,
)
from consortium.scheduling.model import Booking, Want

LONGEST_HOLD = timedelta(days=7)
"""Nothing is held for ever."""

_LOCK = sa.text("SELECT id FROM scheduling.resource WHERE id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE")
_EXPIRE = sa.text(
    "WITH due AS (SELECT id FROM scheduling.booking WHERE state = 'held' AND held_until <= clock_timestamp()"
    " AND (resource_id = ANY(:ids) OR business_key = ANY(:keys)) ORDER BY id FOR UPDATE)"
    " UPDATE scheduling.booking b SET state = 'expired', ended_at = clock_timestamp(), ended_by = 'expiry',"
    " changed_at = clock_timestamp() FROM due WHERE b.id = due.id AND b.state = 'held'"
)
_SWEEP = sa.text(
    "UPDATE scheduling.booking SET state = 'expired', ended_at = clock_timestamp(), ended_by = 'expiry',"
    " changed_at = clock_timestamp() WHERE id IN (SELECT id FROM scheduling.booking WHERE state = 'held'"
    " AND held_until <= clock_timestamp() ORDER BY id LIMIT 1000 FOR UPDATE SKIP LOCKED)"
)
_HOLD = sa.text(
    "INSERT INTO scheduling.booking (id, business_key, subject, resource_id, slot_id, during, state,"
    " held_until, held_by) SELECT :id, :key, :subject, s.resource_id, s.id, s.during, 'held',"
    " clock_timestamp() + CAST(:length AS interval), :by FROM scheduling.slot s WHERE s.id = :slot"
    " ON CONFLICT DO NOTHING"
)
_CONFIRM = sa.text(
    "UPDATE scheduling.booking SET state = 'confirmed', confirmed_by = :by, confirmed_at = clock_timestamp(),"
    " changed_at = clock_timestamp() WHERE id = :id"
)
_RELEASE = sa.text(
    "UPDATE scheduling.booking SET state = 'released', ended_by = :by, ended_at = clock_timestamp(),"
    " changed_at = clock_timestamp() WHERE id = :id"
)
_MOVE = sa.text(
    "UPDATE scheduling.booking b SET resource_id = s.resource_id, slot_id = s.id, during = s.during,"
    " moves = b.moves + 1, changed_at = clock_timestamp() FROM scheduling.slot s"
    " WHERE b.id = :id AND s.id = :slot"
)


def hold(
    connection: sa.Connection, wants: Sequence[Want], *, subject: str, by: str, length: timedelta
) -> list[Booking]:
    """Hold slots for `length`, all of them or none, in the order of `wants`.

    The same key and slot again give the booking there is, held or confirmed, as it is. Raises SlotTakenError,
    KeyInUseError, UnknownError; ValueError for a length that is none or longer than LONGEST_HOLD.
    """
    if not timedelta() < length <= LONGEST_HOLD:
        raise ValueError(f"a hold lasts more than nothing and at most {LONGEST_HOLD.days} days")
    with connection.begin_nested():
        found = rows.slots(connection, [want.slot for want in wants])
        _lock(connection, {slot.resource for slot in found.values()}, [want.key for want in wants])
        held = {
            want: _held(connection, want, subject, by, length) for want in sorted(wants, key=lambda w: w.key)
        }
    return [held[want] for want in wants]


def confirm(connection: sa.Connection, key: str, *, by: str) -> Booking:
    """Make what is held a booking. Confirmed already: the booking as it is.

    Raises HoldExpiredError, NotActiveError, UnknownError.
    """
    booking = _locked(connection, key)
    if booking.state == "confirmed":
        return booking
    _require_active(booking)
    connection.execute(_CONFIRM, {"id": booking.id, "by": by})
    return rows.booking(connection, key)


def release(connection: sa.Connection, key: str, *, by: str) -> Booking:
    """Give back what is held or booked. Given back already, or expired: the booking as it is.

    Raises UnknownError.
    """
    booking = _locked(connection, key)
    if booking.state in ("released", "expired"):
        return booking
    connection.execute(_RELEASE, {"id": booking.id, "by": by})
    return rows.booking(connection, key)


def move(connection: sa.Connection, key: str, slot: UUID) -> Booking:
    """Move what is held or booked to another slot, at once: the old one is free when the new one is had.

    There already: the booking as it is. Raises SlotTakenError, and then the old one is kept;
    HoldExpiredError, NotActiveError, UnknownError.
    """
    wanted = rows.slots(connection, [slot])[slot]
    booking = _locked(connection, key, wanted.resource)
    _require_active(booking)
    if booking.slot == slot:
        return booking
    _require_open(connection, slot)
    if booking_there := rows.taking(connection, slot, apart_from=booking.id):
        raise _taken(booking_there)
    try:
        with connection.begin_nested():
            connection.execute(_MOVE, {"id": booking.id, "slot": slot})
    except IntegrityError as error:  # by somebody who did not lock the resource
        raise SlotTakenError("somebody else has the slot", {"state": "taken"}) from error
    return rows.booking(connection, key)


def sweep(connection: sa.Connection) -> int:
    """End holds that are over; return how many. Waits for nobody: what is locked is being looked after."""
    return connection.execute(_SWEEP).rowcount


def _lock(connection: sa.Connection, resources: Iterable[UUID], keys: Sequence[str]) -> None:
    """Let nobody else write bookings of these resources, and end the holds that are over."""
    ids = sorted(resources)
    connection.execute(_LOCK, {"ids": ids})
    connection.execute(_EXPIRE, {"ids": ids, "keys": list(keys)})


def _held(connection: sa.Connection, want: Want, subject: str, by: str, length: timedelta) -> Booking:
    if known := rows.active(connection, want.key):
        return _same(known, want)
    _require_open(connection, want.slot)
    values = {
        "id": uuid4(),
        "key": want.key,
        "subject": subject,
        "slot": want.slot,
        "length": length,
        "by": by,
    }
    if connection.execute(_HOLD, values).rowcount:
        return rows.booking(connection, want.key)
    if known := rows.active(connection, want.key):  # by another transaction, of another resource
        return _same(known, want)
    taking = rows.taking(connection, want.slot)
    raise _taken(taking) if taking else SlotTakenError("somebody else has the slot", {"state": "taken"})


def _same(known: Booking, want: Want) -> Booking:
    if known.slot == want.slot:
        return known
    raise KeyInUseError(
        f"{want.key} is {known.state} at another slot; move it, or release it first",
        {"state": known.state, "slot": str(known.slot), "start": at(known.start)},
        zh=f"{want.key} 已预约其他时段；请改期，或先释放",
    )


def _locked(connection: sa.Connection, key: str, *further: UUID) -> Booking:
    """Return a key's newest booking, which nobody else writes until the transaction ends."""
    before = rows.booking(connection, key)
    _lock(connection, {before.resource, *further}, [])
    booking = rows.booking(connection, key)
    if booking.resource != before.resource:
        raise NotActiveError(
            "somebody else has just moved the booking; look at it again",
            {"state": booking.state, "slot": str(booking.slot), "start": at(booking.start)},
            zh="他人刚刚改期了该预约；请重新查看",
        )
    return booking


def _require_active(booking: Booking) -> None:
    current = {"state": booking.state, "held_until": at(booking.held_until)}
    if booking.state == "expired":
        raise HoldExpiredError(
            "the hold is over and the slot is free for others; hold it again",
            current,
            zh="预留已过期，号源已释放；请重新预留",
        )
    if booking.state == "released":
        raise NotActiveError("the booking was released", current, zh="该预约已释放")


def _require_open(connection: sa.Connection, slot: UUID) -> None:
    """Raise SlotTakenError where nobody may have a slot any more."""
    if closed := rows.closed(connection, slot):
        why, zh = rows.CLOSED[closed]
        raise SlotTakenError(why, {"state": closed}, zh=zh)


def _taken(by: Booking) -> SlotTakenError:
    until = at(by.held_until) if by.state == "held" else None
    return SlotTakenError(
        "somebody else has the slot" + (f", until {until} unless it is confirmed" if until else ""),
        {"state": by.state, "held_until": until},
        zh="该时段已被他人占用",
    )
