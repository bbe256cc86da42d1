"""The room of a video consultation: open to those who are booked, in their window, and to nobody after."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID, uuid5

import sqlalchemy as sa

from consortium.access import accounts
from consortium.teleconsult.rooms import service, store
from consortium.teleconsult.rooms.model import Booking, Place, RoomRole
from consortium.teleconsult.store import Row

EARLY = timedelta(minutes=10)
"""Before the beginning, when the room opens: cameras are tried."""
LATE = timedelta(minutes=30)
"""After the end, until everybody is sent out."""
ON_CALL = timedelta(hours=2)
"""How long the room of an urgent consultation without an appointment is open."""
PATIENT = "患者"


def open_for(connection: sa.Connection, row: Row, now: datetime) -> None:
    """Book the room for the time of a consultation, from now on where it has none.

    Raises NotBookableError.
    """
    starts, ends = row["starts_at"] or now, row["ends_at"] or now + ON_CALL
    host = row["created_by"]
    places = [_place(connection, row["id"], RoomRole.EXPERT, expert) for expert in row["experts"]]
    if host not in row["experts"]:
        places.append(_place(connection, row["id"], RoomRole.HOST, host))
    places.append(Place(uuid5(row["id"], "patient"), RoomRole.PATIENT, PATIENT))
    wanted = Booking(
        consultation_id=row["id"],
        organisation=row["requesting_facility"],
        opens_at=starts - EARLY,
        closes_at=ends + LATE,
        places=places,
        patient=row["person_id"],
    )
    service.book(connection, wanted, now)


def leave(connection: sa.Connection, consultation: UUID, now: datetime) -> None:
    """Take away everybody's place until the next time is booked."""
    store.unbook(connection, consultation, [], now)


def end(connection: sa.Connection, consultation: UUID, by: str, now: datetime) -> None:
    """End the room for good."""
    store.end(connection, consultation, by, now)


def _place(connection: sa.Connection, consultation: UUID, role: RoomRole, username: str) -> Place:
    account = accounts.find(connection, username)
    shown = account.user.display_name if account else username
    return Place(uuid5(consultation, f"{role}:{username}"), role, shown, username)
