"""Holding, confirming, moving and releasing slots. Every step may be sent again."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from sqlalchemy import Connection

from api.caller import Caller, gate
from api.v1 import calendar_shapes as shapes
from api.v1.calendars import LATE, Reader, writing
from consortium.access.model import Action, Resource
from consortium.scheduling import booking, resources, rows
from consortium.scheduling import model as scheduling

router = APIRouter(prefix="/calendars/bookings", tags=["calendars"])
Holder = Annotated[Caller, Depends(gate(Action.CALENDAR_HOLD))]
Confirmer = Annotated[Caller, Depends(gate(Action.CALENDAR_CONFIRM))]
Key = Annotated[str, Path(pattern=shapes.KEY, examples=[f"{shapes.SAMPLE}:expert-1"])]


def _allow(caller: Caller, connection: Connection, found: scheduling.Booking) -> None:
    """Let the holder change what is not confirmed, and otherwise who confirms for the calendar's campus."""
    owner = Resource(organisation=resources.get(connection, found.resource).organisation)
    own = found.state != "confirmed" and found.held_by == caller.user.username
    caller.allow(owner, None if own else Action.CALENDAR_CONFIRM)


@router.post("", summary="Hold slots for a while", responses=LATE)
def hold(caller: Holder, body: shapes.Hold) -> shapes.Bookings:
    """Hold slots for a referral or consultation, all of them or none; a key again gives its booking."""
    with writing(caller) as connection:
        found = rows.slots(connection, [one.slot for one in body.slots])
        for id_ in {slot.resource for slot in found.values()}:
            caller.allow(Resource(organisation=resources.get(connection, id_).organisation))
        held = booking.hold(
            connection,
            [scheduling.Want(one.slot, one.key) for one in body.slots],
            subject=body.subject,
            by=caller.user.username,
            length=timedelta(minutes=body.minutes),
        )
        caller.note_in(connection, f"{len(held)} slots held", [], body.subject)
    return shapes.Bookings(items=[shapes.booking(one) for one in held])


@router.get("/{key}", summary="Show a booking")
def show(caller: Reader, key: Key) -> shapes.Booking:
    """Return how a booking stands."""
    with writing(caller) as connection:
        found = rows.booking(connection, key)
        caller.allow(Resource(organisation=resources.get(connection, found.resource).organisation))
    return shapes.booking(found)


@router.post("/{key}/confirm", summary="Confirm what is held", responses=LATE)
def confirm(caller: Confirmer, key: Key) -> shapes.Booking:
    """Make what is held a booking of a calendar of one's campus."""
    with writing(caller) as connection:
        owner = resources.get(connection, rows.booking(connection, key).resource)
        decision = caller.allow(Resource(organisation=owner.organisation))
        done = booking.confirm(connection, key, by=caller.user.username)
        caller.note_in(connection, decision.reason, [], f"booking {done.id}")
    return shapes.booking(done)


@router.post("/{key}/move", summary="Move a booking to another slot", responses=LATE)
def move(caller: Holder, key: Key, body: shapes.Move) -> shapes.Booking:
    """Move what is held or booked, at once: where the new slot is taken the old one is kept."""
    with writing(caller) as connection:
        before = rows.booking(connection, key)
        _allow(caller, connection, before)
        target = rows.slots(connection, [body.slot])[body.slot]
        if target.resource != before.resource:
            organisation = resources.get(connection, target.resource).organisation
            confirmed = before.state == "confirmed"
            caller.allow(Resource(organisation=organisation), Action.CALENDAR_CONFIRM if confirmed else None)
        done = booking.move(connection, key, body.slot)
        caller.note_in(connection, "booking moved", [], f"booking {done.id}")
    return shapes.booking(done)


@router.post("/{key}/release", summary="Give back what is held or booked", responses=LATE)
def release(caller: Holder, key: Key) -> shapes.Booking:
    """Give it back: the holder what is held, the calendar's campus what is booked."""
    with writing(caller) as connection:
        _allow(caller, connection, rows.booking(connection, key))
        done = booking.release(connection, key, by=caller.user.username)
        caller.note_in(connection, "booking released", [], f"booking {done.id}")
    return shapes.booking(done)
