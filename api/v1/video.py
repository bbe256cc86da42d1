"""Video rooms of consultations: entering, the waiting room, looking after the door, links, attendance."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool

from api.caller import Caller, gate
from api.platform import Platform, platform
from api.v1 import video_door
from api.v1.video_shapes import (
    Admission,
    Attendance,
    Done,
    Invited,
    Link,
    Present,
    RoomShown,
    Waiting,
    WaitingRoom,
    Where,
)
from consortium.access.model import Action, Resource
from consortium.errors import ConflictError
from consortium.teleconsult.rooms import attendance, decide, links, service, store
from consortium.teleconsult.rooms.attendance import Presence
from consortium.teleconsult.rooms.model import Participant
from consortium.teleconsult.rooms.service import Room

router = APIRouter(prefix="/video", tags=["video"])
Joiner = Annotated[Caller, Depends(gate(Action.VIDEO_JOIN))]
Doorkeeper = Annotated[Caller, Depends(gate(Action.VIDEO_MANAGE))]
_Answers = dict[int | str, dict[str, Any]]
_REFUSED: _Answers = {
    403: {"description": "not booked, not now, ended, sent out, or not this link: see `type`"}
}
_AWAY: _Answers = {503: {"description": "the video server does not answer; send the same again"}}


@router.post("/invited/join", summary="Enter a consultation by a link", responses=_REFUSED | _AWAY)
async def join_by_link(
    request: Request, body: Invited, parts: Annotated[Platform, Depends(platform)]
) -> Admission:
    """Let the one person in whom a link was made for; a patient waits until somebody lets them in."""
    entrance = await run_in_threadpool(video_door.by_link, request, parts, body)
    return await video_door.admission(parts, entrance, keeps_door=False)


@router.post("/{id}/join", summary="Enter a consultation", responses=_REFUSED | _AWAY)
async def join(caller: Joiner, id: UUID) -> Admission:  # noqa: A002 - the path's name of it
    """Let a booked person in within the time of the consultation, and nobody else."""
    entrance = await run_in_threadpool(video_door.by_account, caller, id)
    keeps = decide.keeps_door(entrance.room.session, entrance.room.participants, caller.user)
    return await video_door.admission(caller.parts, entrance, keeps_door=keeps)


@contextmanager
def _door(caller: Caller, consultation: UUID) -> Iterator[tuple[Connection, Room, datetime]]:
    """A transaction in which whoever looks after the room does something about it."""
    with video_door.refusals(caller.note_failure), caller.parts.engine.begin() as connection:
        room = service.door(connection, consultation, caller.user)
        caller.allow(Resource(room.session.organisation))
        yield connection, room, caller.parts.now()


@router.get("/{id}", summary="Show a consultation's room and who was there", responses=_REFUSED)
def show(caller: Doorkeeper, id: UUID) -> RoomShown:  # noqa: A002 - the path's name of it
    """Return the participants, where they are, and when they were in the room."""
    with _door(caller, id) as (connection, room, now):
        attended = service.attended(connection, id)
        caller.note_in(connection, "room shown", _patient(room))
    session = room.session
    return RoomShown(
        consultation_id=id,
        organisation=session.organisation,
        opens_at=session.opens_at,
        closes_at=session.closes_at,
        ended_at=session.ended_at,
        participants=[_shown(one, attended.get(one.id, []), now) for one in room.participants],
    )


@router.get("/{id}/waiting", summary="Who waits to be let in", responses=_REFUSED)
def waiting(caller: Doorkeeper, id: UUID) -> WaitingRoom:  # noqa: A002 - the path's name of it
    """Return those who wait now, by id; ask every few seconds."""
    with _door(caller, id) as (_, room, now):
        there = [one for one in room.participants if decide.is_waiting(one, now)]
    return WaitingRoom(
        items=[Waiting(id=one.id, role=one.role, since=one.waiting_since or now) for one in there]
    )


@router.post("/{id}/participants/{participant}/admit", summary="Let somebody in", responses=_REFUSED)
def admit(caller: Doorkeeper, id: UUID, participant: UUID) -> Done:  # noqa: A002 - the path's name of it
    """Let somebody in who waits, or will; the same again changes nothing."""
    with _door(caller, id) as (connection, room, now):
        one = room.one(participant)
        if room.session.ended_at is not None or one.removed_at is not None:
            raise ConflictError("the consultation has ended, or this participant was sent out")
        if store.admit(connection, one.id, caller.user.username, now):
            caller.note_in(connection, f"let in {one.role.value} {one.id}", _patient(room))
    return Done(id=participant, where="admitted")


@router.post(
    "/{id}/participants/{participant}/remove", summary="Send somebody out", responses=_REFUSED | _AWAY
)
async def remove(caller: Doorkeeper, id: UUID, participant: UUID) -> Done:  # noqa: A002 - the path's name of it
    """Send somebody out for good, and take back their links.

    While the video server is away it holds all the same: they cannot come back, and are sent out when it is.
    """
    await run_in_threadpool(_remove, caller, id, participant)
    if caller.parts.video is not None:
        await caller.parts.video.send_out(id, participant)
    return Done(id=participant, where="sent_out")


def _remove(caller: Caller, consultation: UUID, participant: UUID) -> None:
    with _door(caller, consultation) as (connection, room, now):
        one = room.one(participant)
        if store.remove(connection, one.id, caller.user.username, now):
            caller.note_in(connection, f"sent out {one.role.value} {one.id}", _patient(room))


@router.post(
    "/{id}/participants/{participant}/invitation", summary="Make a link for one person", responses=_REFUSED
)
def invite(caller: Doorkeeper, id: UUID, participant: UUID) -> Link:  # noqa: A002 - the path's name of it
    """Make a link for somebody without an account; earlier ones of theirs hold no longer."""
    invitation = uuid.uuid4()
    with _door(caller, id) as (connection, room, now):
        one = room.one(participant)
        by = caller.user.username
        expires = service.invite(connection, one, room.session, by, invitation, now)
        caller.note_in(connection, f"link made for {one.role.value} {one.id}", _patient(room))
    link = links.Link(invitation, participant)
    secret = links.sign(link, caller.parts.settings.token_key, now, expires)
    return Link(path=f"/video#invitation={secret}", expires_at=expires)


@router.delete("/{id}/participants/{participant}/invitation", summary="Take links back", responses=_REFUSED)
def revoke(caller: Doorkeeper, id: UUID, participant: UUID) -> Done:  # noqa: A002 - the path's name of it
    """Take back every link of a participant; who is in stays in."""
    with _door(caller, id) as (connection, room, now):
        one = room.one(participant)
        store.revoke(connection, one.id, caller.user.username, now)
        attended = service.attended(connection, id)
        caller.note_in(connection, f"links taken back of {one.role.value} {one.id}", _patient(room))
    return Done(id=participant, where=_where(one, attended.get(one.id, []), now))


@router.post("/{id}/end", summary="End a consultation's video", responses=_REFUSED | _AWAY)
async def end(caller: Doorkeeper, id: UUID) -> RoomShown:  # noqa: A002 - the path's name of it
    """Send everybody out and end the room for good; the same again changes nothing."""
    await run_in_threadpool(_end, caller, id)
    await video_door.server(caller.parts).close_room(id)
    return await run_in_threadpool(show, caller, id)


def _end(caller: Caller, consultation: UUID) -> None:
    with _door(caller, consultation) as (connection, room, now):
        if store.end(connection, consultation, caller.user.username, now):
            caller.note_in(connection, "consultation's video ended", _patient(room))


def _patient(room: Room) -> tuple[UUID, ...]:
    return (room.session.patient,) if room.session.patient else ()


def _where(one: Participant, present: list[Presence], now: datetime) -> Where:
    if one.removed_at is not None:
        return "sent_out"
    if present and present[-1].until is None:
        return "inside"
    if decide.is_waiting(one, now):
        return "waiting"
    return "admitted" if one.admitted_at is not None else "absent"


def _shown(one: Participant, present: list[Presence], now: datetime) -> Attendance:
    return Attendance(
        id=one.id,
        shown_as=one.shown_as,
        role=one.role,
        where=_where(one, present, now),
        present=[Present(since=each.since, until=each.until) for each in present],
        seconds=int(attendance.total(present, now).total_seconds()),
    )
