"""At the door of a room: by account, by link; refusals as problem details, and all of it in the audit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from uuid import UUID

from fastapi import Request
from sqlalchemy import Connection

from api.caller import Caller
from api.failures import Failure, FailureError
from api.platform import Platform, request_id
from api.v1.video_shapes import Admission, Invited, Somebody
from consortium.access import audit
from consortium.access.model import Action, Resource
from consortium.teleconsult.rooms import decide, service
from consortium.teleconsult.rooms.errors import RoomRefusedError, VideoAwayError
from consortium.teleconsult.rooms.livekit import LIFETIME, VideoServer
from consortium.teleconsult.rooms.model import Participant
from consortium.teleconsult.rooms.service import Entrance, Room

Note = Callable[[str], None]


@contextmanager
def refusals(note: Note) -> Iterator[None]:
    """Put a refusal of the room in the audit, and answer it as a problem with the room's own code."""
    try:
        yield
    except RoomRefusedError as error:
        note(f"room refused: {error.code}")
        raise FailureError(Failure(403, error.code, str(error))) from error


def server(parts: Platform) -> VideoServer:
    """Return the video server. Raises VideoAwayError where there is none."""
    if parts.video is None:
        raise VideoAwayError("there is no video here; see the settings video and livekit_url")
    return parts.video


def by_account(caller: Caller, consultation: UUID) -> Entrance:
    """Let a signed-in person to the door. Raises FailureError, ForbiddenError."""
    now = caller.parts.now()
    with refusals(caller.note_failure), caller.parts.engine.begin() as connection:
        entrance = service.enter(connection, consultation, caller.user, now)
        session = entrance.room.session
        caller.allow(Resource(session.organisation, session.patient))
        if told := _worth_telling(entrance, now):
            caller.note_in(connection, told, _patient(entrance), what=caller.resource)
    return entrance


def by_link(request: Request, parts: Platform, body: Invited) -> Entrance:
    """Let whoever opened a link to the door. Raises FailureError."""
    now, key = parts.now(), parts.settings.token_key

    def note(reason: str) -> None:
        with parts.statements.connect() as connection:
            _note(connection, request, "refused", reason)

    with refusals(note), parts.engine.begin() as connection:
        entrance = service.enter_invited(connection, body.invitation, body.device, key, now)
        if told := _worth_telling(entrance, now):
            _note(connection, request, "allowed", told, _patient(entrance))
    return entrance


def _note(
    connection: Connection,
    request: Request,
    outcome: audit.Outcome,
    reason: str,
    persons: tuple[UUID, ...] = (),
) -> None:
    what = f"POST {request.scope['route'].path}"
    entry = audit.entry(
        None,
        Action.VIDEO_JOIN,
        None,
        what,
        outcome,
        reason,
        request_id=request_id(request),
        persons=persons,
    )
    audit.append(connection, entry)


def _worth_telling(entrance: Entrance, now: datetime) -> str:
    """Return what goes into the audit; nothing of somebody who asks again while waiting."""
    who = f"{entrance.participant.role.value} {entrance.participant.id}"
    if entrance.standing == "enter":
        return f"{who} enters the consultation"
    return "" if decide.is_waiting(entrance.participant, now) else f"{who} waits to be let in"


def _patient(entrance: Entrance) -> tuple[UUID, ...]:
    patient = entrance.room.session.patient
    return (patient,) if patient else ()


async def admission(parts: Platform, entrance: Entrance, *, keeps_door: bool) -> Admission:
    """Return the answer at the door; whoever enters finds the room made. Raises VideoAwayError."""
    room, participant = entrance.room, entrance.participant
    _, closes = decide.window(room.session, participant)
    if entrance.standing == "wait":
        return Admission(standing="wait", you=participant.id, closes_at=closes)
    video = server(parts)
    await video.open_room(participant.consultation_id)
    lifetime = min(LIFETIME, closes - parts.now())
    return Admission(
        standing="enter",
        you=participant.id,
        closes_at=closes,
        url=video.url,
        token=video.token(participant.consultation_id, participant.id, participant.role, lifetime),
        people=[Somebody(id=p.id, shown_as=p.shown_as, role=p.role) for p in _booked(room)],
        keeps_door=keeps_door,
    )


def _booked(room: Room) -> Iterator[Participant]:
    return (one for one in room.participants if one.removed_at is None)
