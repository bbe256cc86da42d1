"""Who may enter, wait, let in: pure decisions on what is booked and the time."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal

from consortium.access.model import Role, User
from consortium.teleconsult.rooms.errors import NotBookableError, RoomRefusedError
from consortium.teleconsult.rooms.model import (
    DOORKEEPERS,
    LET_IN,
    STAFF,
    WAITS,
    Booking,
    Invitation,
    Participant,
    Session,
)

Standing = Literal["enter", "wait"]

MOST = 20
"""Participants of a session."""
LONGEST = timedelta(hours=24)


def check(booking: Booking) -> None:
    """See that a booking makes sense. Raises NotBookableError."""
    times = [booking.opens_at, booking.closes_at]
    times += [t for place in booking.places for t in (place.opens_at, place.closes_at) if t is not None]
    if any(time.tzinfo is None for time in times):
        raise NotBookableError("every time of a booking needs a zone")
    if not timedelta(0) < booking.closes_at - booking.opens_at <= LONGEST:
        raise NotBookableError("a session closes after it opens, and within 24 hours")
    if not 0 < len(booking.places) <= MOST:
        raise NotBookableError(f"a session has 1 to {MOST} participants")
    if not any(place.role in DOORKEEPERS for place in booking.places):
        raise NotBookableError("a session needs a host or an expert, who lets the patient in")
    if any(place.role in STAFF and place.username is None for place in booking.places):
        raise NotBookableError("staff come by their account: name it")
    names = [place.username for place in booking.places if place.username is not None]
    if len(set(names)) != len(names):
        raise NotBookableError("a session names an account twice")
    if len({place.id for place in booking.places}) != len(booking.places):
        raise NotBookableError("a session names a participant twice")


def window(session: Session, participant: Participant) -> tuple[datetime, datetime]:
    """Return from when until when a participant may be in: their own window within the session's."""
    opens = max(session.opens_at, participant.opens_at or session.opens_at)
    closes = min(session.closes_at, participant.closes_at or session.closes_at)
    return opens, closes


def enter(session: Session, participant: Participant, now: datetime) -> Standing:
    """Tell whether a booked participant enters or waits. Raises RoomRefusedError."""
    if session.ended_at is not None:
        raise RoomRefusedError("ended", "this consultation has ended")
    if participant.removed_at is not None:
        raise RoomRefusedError("removed", "you were asked to leave this room; call the hospital")
    opens, closes = window(session, participant)
    if now < opens:
        raise RoomRefusedError("too-early", f"the room opens at {opens.isoformat(timespec='minutes')}")
    if now >= closes:
        raise RoomRefusedError("too-late", "the time of this consultation is over")
    waits = participant.role in LET_IN and participant.admitted_at is None
    return "wait" if waits else "enter"


def not_booked() -> RoomRefusedError:
    """Return the refusal of somebody who has no place; it does not tell whether there is such a room."""
    return RoomRefusedError("not-booked", "you are not booked for this consultation")


def no_doorkeeper() -> RoomRefusedError:
    """Return the refusal of somebody who does not look after a room, or names none."""
    return RoomRefusedError(
        "no-doorkeeper", "the host, the experts and the holding campus's coordinators look after a room"
    )


def invited(invitation: Invitation | None, device: str, now: datetime) -> bytes:
    """Decide about a link whose signature holds; return the hash of the browser's key, to be kept.

    Raises RoomRefusedError when it was taken back, is too old, or another browser opened it first.
    """
    if invitation is None or invitation.revoked_at is not None:
        raise RoomRefusedError(
            "invitation-revoked", "this link was taken back; ask the hospital for a new one"
        )
    if now >= invitation.expires_at:
        raise RoomRefusedError("invitation-expired", "this link is too old; ask the hospital for a new one")
    mark = hashlib.sha256(device.encode()).digest()
    if invitation.device is not None and not hmac.compare_digest(invitation.device, mark):
        raise RoomRefusedError(
            "invitation-in-use", "this link was opened in another browser; ask the hospital for a new one"
        )
    return mark


def keeps_door(session: Session, participants: Iterable[Participant], user: User) -> bool:
    """Whether a user may see who is there, let in, send out, invite and end: the host, the experts, and the
    coordinators of the campus that holds it.
    """
    if user.role is Role.COORDINATOR and user.organisation == session.organisation:
        return True
    return any(
        one.username == user.username and one.role in DOORKEEPERS and one.removed_at is None
        for one in participants
    )


def is_waiting(participant: Participant, now: datetime) -> bool:
    """Whether somebody stands in the waiting room now."""
    seen = participant.waiting_seen
    return (
        participant.admitted_at is None
        and participant.removed_at is None
        and seen is not None
        and now - seen <= WAITS
    )
