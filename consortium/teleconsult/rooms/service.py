"""What is done with rooms: book, enter, let in, send out, invite, end. The caller opens the transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from consortium.access.model import User
from consortium.teleconsult.rooms import decide, links, store
from consortium.teleconsult.rooms.attendance import Presence, merge
from consortium.teleconsult.rooms.decide import Standing
from consortium.teleconsult.rooms.errors import NotBookableError, RoomRefusedError
from consortium.teleconsult.rooms.model import WAITS, Booking, Participant, Session


@dataclass(frozen=True, slots=True)
class Room:
    """A session with all that were ever booked into it."""

    session: Session
    participants: tuple[Participant, ...]

    def one(self, id_: UUID) -> Participant:
        """Return a participant of this room. Raises RoomRefusedError."""
        found = next((one for one in self.participants if one.id == id_), None)
        if found is None:
            raise decide.no_doorkeeper()
        return found


@dataclass(frozen=True, slots=True)
class Entrance:
    """Somebody at the door whose right was found good."""

    room: Room
    participant: Participant
    standing: Standing


def book(connection: Connection, booking: Booking, now: datetime) -> list[UUID]:
    """Book a consultation's room, move it, or change who takes part; the same again changes nothing.

    Returns whose place was taken away: they are sent out of the room if they are in it. Raises
    NotBookableError.
    """
    decide.check(booking)
    consultation = booking.consultation_id
    if not store.book(connection, booking):
        raise NotBookableError("this consultation has ended; book another")
    removed = store.unbook(connection, consultation, [place.id for place in booking.places], now)
    for place in booking.places:
        if not store.place(connection, consultation, place):
            raise NotBookableError("a participant's id is taken by another consultation")
    return removed


def room(connection: Connection, consultation: UUID) -> Room:
    """Return a consultation's room. Raises RoomRefusedError, the same as for somebody who is not booked."""
    session = store.session(connection, consultation)
    if session is None:
        raise decide.not_booked()
    return Room(session, tuple(store.participants(connection, consultation)))


def door(connection: Connection, consultation: UUID, user: User) -> Room:
    """Return a room to somebody who looks after it. Raises RoomRefusedError."""
    try:
        found = room(connection, consultation)
    except RoomRefusedError:
        raise decide.no_doorkeeper() from None
    if not decide.keeps_door(found.session, found.participants, user):
        raise decide.no_doorkeeper()
    return found


def enter(connection: Connection, consultation: UUID, user: User, now: datetime) -> Entrance:
    """Let a signed-in person to the door of a room. Raises RoomRefusedError."""
    found = room(connection, consultation)
    mine = next((one for one in found.participants if one.username == user.username), None)
    if mine is None:
        raise decide.not_booked()
    return _entered(connection, found, mine, now)


def enter_invited(connection: Connection, secret: str, device: str, key: str, now: datetime) -> Entrance:
    """Let whoever opened a link to the door; `device`: their browser's secret. Raises RoomRefusedError."""
    link = links.read(secret, key, now)
    invitation = store.invitation(connection, link.invitation_id)
    mark = decide.invited(invitation, device, now)
    participant = store.participant(connection, link.participant_id)
    if participant is None or invitation is None or invitation.participant_id != participant.id:
        raise decide.not_booked()
    entrance = _entered(connection, room(connection, participant.consultation_id), participant, now)
    if invitation.device is None:
        store.opened(connection, invitation.id, mark, now)
    return entrance


def _entered(connection: Connection, found: Room, participant: Participant, now: datetime) -> Entrance:
    standing = decide.enter(found.session, participant, now)
    if standing == "wait":
        store.wait(connection, participant.id, now, now - WAITS)
    return Entrance(found, participant, standing)


def invite(
    connection: Connection, participant: Participant, session: Session, by: str, id_: UUID, now: datetime
) -> datetime:
    """Write an invitation for somebody without an account, in place of earlier ones; return until when.

    Raises RoomRefusedError.
    """
    if participant.username is not None:
        raise RoomRefusedError("has-account", "this participant signs in, and needs no link")
    if session.ended_at is not None or participant.removed_at is not None:
        raise RoomRefusedError("ended", "this participant's consultation is over")
    _, closes = decide.window(session, participant)
    if now >= closes:
        raise RoomRefusedError("too-late", "the time of this consultation is over")
    store.revoke(connection, participant.id, by, now)
    store.invite(connection, id_, participant.id, closes, by)
    return closes


def attended(connection: Connection, consultation: UUID) -> dict[UUID, list[Presence]]:
    """Return who was there when, broken connections merged; a participant who never was is not in it."""
    return {id_: merge(found) for id_, found in store.presences(connection, consultation).items()}
