"""The tables of video rooms: schema `teleconsult`, migration 0038."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from consortium.teleconsult.rooms.attendance import Presence
from consortium.teleconsult.rooms.model import (
    Booking,
    Invitation,
    Participant,
    Place,
    RoomRole,
    Session,
)

_BOOK = text(
    "INSERT INTO teleconsult.session (consultation_id, organisation, patient, opens_at, closes_at)"
    " VALUES (:consultation_id, :organisation, :patient, :opens_at, :closes_at)"
    " ON CONFLICT (consultation_id) DO UPDATE SET organisation = excluded.organisation,"
    " patient = excluded.patient, opens_at = excluded.opens_at, closes_at = excluded.closes_at"
    " WHERE session.ended_at IS NULL"
)
_PLACE = text(
    "INSERT INTO teleconsult.participant AS p"
    " (id, consultation_id, role, username, shown_as, opens_at, closes_at)"
    " VALUES (:id, :consultation_id, :role, :username, :shown_as, :opens_at, :closes_at)"
    " ON CONFLICT (id) DO UPDATE SET role = excluded.role, username = excluded.username,"
    " shown_as = excluded.shown_as, opens_at = excluded.opens_at, closes_at = excluded.closes_at,"
    # who was unbooked comes back; whom a person sent out does not
    " removed_at = CASE WHEN p.removed_by IS NULL THEN NULL ELSE p.removed_at END"
    " WHERE p.consultation_id = excluded.consultation_id"
)
_UNBOOK = text(
    "UPDATE teleconsult.participant SET removed_at = :now, username = NULL"
    " WHERE consultation_id = :consultation_id AND NOT id = ANY(:kept) AND removed_at IS NULL RETURNING id"
)
_SESSION = text(
    "SELECT consultation_id, organisation, patient, opens_at, closes_at, ended_at"
    " FROM teleconsult.session WHERE consultation_id = :id"
)
_COLUMNS = (
    "id, consultation_id, role, shown_as, username, opens_at, closes_at, waiting_since, waiting_seen,"
    " admitted_at, removed_at"
)
_PARTICIPANTS = text(
    f"SELECT {_COLUMNS} FROM teleconsult.participant WHERE consultation_id = :id ORDER BY role, id"  # noqa: S608 - constants
)
_PARTICIPANT = text(f"SELECT {_COLUMNS} FROM teleconsult.participant WHERE id = :id")  # noqa: S608 - constants
_WAIT = text(
    "UPDATE teleconsult.participant SET waiting_seen = :now,"
    " waiting_since = CASE WHEN waiting_seen >= :fresh THEN waiting_since ELSE :now END WHERE id = :id"
)
_ADMIT = text(
    "UPDATE teleconsult.participant SET admitted_at = :now, admitted_by = :by"
    " WHERE id = :id AND admitted_at IS NULL AND removed_at IS NULL"
)
_REMOVE = text(
    "UPDATE teleconsult.participant SET removed_at = :now, removed_by = :by"
    " WHERE id = :id AND removed_at IS NULL"
)
_INVITE = text(
    "INSERT INTO teleconsult.invitation (id, participant_id, expires_at, created_by)"
    " VALUES (:id, :participant_id, :expires_at, :by)"
)
_INVITATION = text(
    "SELECT id, participant_id, expires_at, device, revoked_at FROM teleconsult.invitation"
    " WHERE id = :id FOR UPDATE"
)
_OPENED = text(
    "UPDATE teleconsult.invitation SET device = :device, opened_at = :now WHERE id = :id AND device IS NULL"
)
_REVOKE = text(
    "UPDATE teleconsult.invitation SET revoked_at = :now, revoked_by = :by"
    " WHERE participant_id = :id AND revoked_at IS NULL"
)
_END = text(
    "UPDATE teleconsult.session SET ended_at = :now, ended_by = :by"
    " WHERE consultation_id = :id AND ended_at IS NULL"
)
_TO_CLOSE = text(
    "SELECT consultation_id FROM teleconsult.session"
    " WHERE room_closed_at IS NULL AND (ended_at IS NOT NULL OR closes_at <= :now)"
    " ORDER BY closes_at LIMIT 100"
)
_OPEN = text(
    "SELECT consultation_id FROM teleconsult.session"
    " WHERE room_closed_at IS NULL AND ended_at IS NULL AND opens_at <= :now AND closes_at > :now"
)
_CLOSED = text(
    "UPDATE teleconsult.session SET room_closed_at = :now, ended_at = coalesce(ended_at, :now)"
    " WHERE consultation_id = :id"
)
_TO_SEND_OUT = text(
    "SELECT DISTINCT p.consultation_id, p.id FROM teleconsult.attendance a"
    " JOIN teleconsult.participant p ON p.id = a.participant_id"
    " JOIN teleconsult.session s USING (consultation_id)"
    " WHERE a.left_at IS NULL AND s.room_closed_at IS NULL AND (p.removed_at IS NOT NULL"
    " OR p.closes_at <= :now OR (p.role IN ('patient', 'family') AND p.admitted_at IS NULL)) LIMIT 100"
)
_GONE = text(
    "UPDATE teleconsult.attendance SET left_at = greatest(joined_at, :now)"
    " WHERE participant_id = :id AND left_at IS NULL"
)
_PRESENCES = text(
    "SELECT a.participant_id, a.joined_at, a.left_at FROM teleconsult.attendance a"
    " JOIN teleconsult.participant p ON p.id = a.participant_id WHERE p.consultation_id = :id"
)


def book(connection: Connection, booking: Booking) -> bool:
    """Write the session, new or moved; False when it has ended already."""
    values = {
        "consultation_id": booking.consultation_id,
        "organisation": booking.organisation,
        "patient": booking.patient,
        "opens_at": booking.opens_at,
        "closes_at": booking.closes_at,
    }
    return connection.execute(_BOOK, values).rowcount == 1


def place(connection: Connection, consultation: UUID, one: Place) -> bool:
    """Write a participant, new or changed; False when that id is another consultation's."""
    values = {
        "id": one.id,
        "consultation_id": consultation,
        "role": one.role.value,
        "username": one.username,
        "shown_as": one.shown_as,
        "opens_at": one.opens_at,
        "closes_at": one.closes_at,
    }
    return connection.execute(_PLACE, values).rowcount == 1


def unbook(connection: Connection, consultation: UUID, kept: list[UUID], now: datetime) -> list[UUID]:
    """Take away the place of everybody else; return whose."""
    return list(
        connection.execute(_UNBOOK, {"consultation_id": consultation, "kept": kept, "now": now}).scalars()
    )


def session(connection: Connection, consultation: UUID) -> Session | None:
    """Return the session of a consultation."""
    row = connection.execute(_SESSION, {"id": consultation}).mappings().one_or_none()
    return None if row is None else Session(**row)


def participants(connection: Connection, consultation: UUID) -> list[Participant]:
    """Return all that were ever booked, those sent out too."""
    return [_participant(row) for row in connection.execute(_PARTICIPANTS, {"id": consultation}).mappings()]


def participant(connection: Connection, id_: UUID) -> Participant | None:
    """Return one participant."""
    row = connection.execute(_PARTICIPANT, {"id": id_}).mappings().one_or_none()
    return None if row is None else _participant(row)


def _participant(row: Mapping[Any, Any]) -> Participant:
    return Participant(**{**row, "role": RoomRole(row["role"])})


def wait(connection: Connection, id_: UUID, now: datetime, fresh: datetime) -> None:
    """Note that somebody waits; since `fresh` they did not, they begin anew."""
    connection.execute(_WAIT, {"id": id_, "now": now, "fresh": fresh})


def admit(connection: Connection, id_: UUID, by: str, now: datetime) -> bool:
    """Let somebody in; False when they are in, or were sent out."""
    return connection.execute(_ADMIT, {"id": id_, "by": by, "now": now}).rowcount == 1


def remove(connection: Connection, id_: UUID, by: str, now: datetime) -> bool:
    """Send somebody out for good, and take back their links; False when that was done before."""
    revoke(connection, id_, by, now)
    return connection.execute(_REMOVE, {"id": id_, "by": by, "now": now}).rowcount == 1


def invite(connection: Connection, id_: UUID, participant_id: UUID, expires_at: datetime, by: str) -> None:
    """Write an invitation."""
    values = {"id": id_, "participant_id": participant_id, "expires_at": expires_at, "by": by}
    connection.execute(_INVITE, values)


def invitation(connection: Connection, id_: UUID) -> Invitation | None:
    """Return an invitation and lock it: two browsers may open it at once."""
    row = connection.execute(_INVITATION, {"id": id_}).mappings().one_or_none()
    if row is None:
        return None
    device = None if row["device"] is None else bytes(row["device"])
    return Invitation(**{**row, "device": device})


def opened(connection: Connection, id_: UUID, device: bytes, now: datetime) -> None:
    """Bind an invitation to the first browser that opened it."""
    connection.execute(_OPENED, {"id": id_, "device": device, "now": now})


def revoke(connection: Connection, participant_id: UUID, by: str, now: datetime) -> int:
    """Take back a participant's links; return how many held."""
    return connection.execute(_REVOKE, {"id": participant_id, "by": by, "now": now}).rowcount


def end(connection: Connection, consultation: UUID, by: str, now: datetime) -> bool:
    """End a session for good; False when it had ended."""
    return connection.execute(_END, {"id": consultation, "by": by, "now": now}).rowcount == 1


def to_close(connection: Connection, now: datetime) -> list[UUID]:
    """Return whose rooms the video server still has to close."""
    return list(connection.execute(_TO_CLOSE, {"now": now}).scalars())


def open_now(connection: Connection, now: datetime) -> list[UUID]:
    """Return whose rooms may have people in them."""
    return list(connection.execute(_OPEN, {"now": now}).scalars())


def closed(connection: Connection, consultation: UUID, now: datetime) -> None:
    """Note that the video server closed a room; the session has ended."""
    connection.execute(_CLOSED, {"id": consultation, "now": now})


def to_send_out(connection: Connection, now: datetime) -> list[tuple[UUID, UUID]]:
    """Return consultation and participant of those who are in a room and may not be."""
    return [(row[0], row[1]) for row in connection.execute(_TO_SEND_OUT, {"now": now})]


def gone(connection: Connection, participant_id: UUID, now: datetime) -> None:
    """Note that somebody was sent out; the video server's own word of it comes first where it comes."""
    connection.execute(_GONE, {"id": participant_id, "now": now})


def presences(connection: Connection, consultation: UUID) -> dict[UUID, list[Presence]]:
    """Return each participant's connections."""
    found: dict[UUID, list[Presence]] = {}
    for row in connection.execute(_PRESENCES, {"id": consultation}):
        found.setdefault(row.participant_id, []).append(Presence(row.joined_at, row.left_at))
    return found
