"""Calendars of experts, clinics, beds and rooms: what they offer, and working time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime
from sqlalchemy import Connection

from api.caller import Caller, gate
from api.failures import Failure, FailureError, FieldError
from api.v1 import calendar_shapes as shapes
from consortium.access.model import SHARED, Action, Resource
from consortium.scheduling import UnknownYearError, deadline, provisional_years, resources, rows
from consortium.scheduling.calendar_file import CalendarFile, CalendarFileError, load
from consortium.scheduling.errors import UnknownError

router = APIRouter(prefix="/calendars", tags=["calendars"])
Reader = Annotated[Caller, Depends(gate(Action.CALENDAR_READ))]
Manager = Annotated[Caller, Depends(gate(Action.CALENDAR_MANAGE))]
LATE: dict[int | str, dict[str, Any]] = {
    409: {"description": "not any more; `current` tells how it stands now"}
}
MOST_MINUTES = 366 * 24 * 60


@contextmanager
def writing(caller: Caller) -> Iterator[Connection]:
    """Have one transaction; what is not there is a 404."""
    try:
        with caller.parts.engine.begin() as connection:
            yield connection
    except UnknownError as error:
        raise FailureError(Failure(404, "not-found", str(error))) from error


@router.get("", summary="List whose time is booked")
def list_calendars(
    caller: Reader,
    organisation: Annotated[str | None, Query(max_length=20, description="campus code")] = None,
    kind: shapes.Kind | None = None,
) -> shapes.Calendars:
    """Return experts, clinics, beds and rooms."""
    caller.allow(Resource(organisation=organisation) if organisation else SHARED)
    with caller.parts.statements.connect() as connection:
        found = resources.listed(connection, organisation=organisation, kind=kind)
    return shapes.Calendars(items=[shapes.calendar(one) for one in found])


@router.post("", summary="Register whose time is booked", responses=LATE)
def add_calendar(caller: Manager, body: shapes.NewCalendar) -> shapes.Calendar:
    """Register an expert, clinic, bed or room. The same again gives the one there is."""
    decision = caller.allow(Resource(organisation=body.organisation))
    with writing(caller) as connection:
        made = resources.add(
            connection,
            body.organisation,
            body.kind,
            body.name,
            by=caller.user.username,
            username=body.username,
        )
        caller.note_in(connection, decision.reason, [], f"calendar {made.id}")
    return shapes.calendar(made)


@router.get("/availability", summary="Find times that are free")
def availability(
    caller: Reader,
    start: AwareDatetime,
    end: AwareDatetime,
    calendar: UUID | None = None,
    organisation: Annotated[str | None, Query(max_length=20, description="campus code")] = None,
    kind: shapes.Kind | None = None,
    free: Annotated[bool, Query(description="false: those that are taken too, and how each stands")] = True,
    limit: Annotated[int, Query(ge=1, le=resources.MOST)] = 100,
) -> shapes.Slots:
    """Return offered times between two instants that are not over, the earliest first."""
    caller.allow(Resource(organisation=organisation) if organisation else SHARED)
    if end <= start:
        error = FieldError("end", "must be later than start")
        raise FailureError(Failure(422, "validation", "end must be later than start", [error]))
    search = resources.Search(
        start, end, calendar, organisation, kind, ("free",) if free else None, limit=limit
    )
    with caller.parts.statements.connect() as connection:
        found = resources.offered(connection, search)
    return shapes.Slots(items=[shapes.slot(one) for one in found])


@router.get("/working-time", summary="Reckon a deadline in working time")
def working_time(
    caller: Reader,
    start: AwareDatetime,
    minutes: Annotated[int, Query(ge=0, le=MOST_MINUTES, description="of working time")],
    organisation: Annotated[str | None, Query(max_length=20, description="without it one's own")] = None,
    emergency: Annotated[bool, Query(description="around the clock")] = False,
) -> shapes.Due:
    """Return when so many working minutes have passed, by the organisation's hours and public holidays.

    Where a year's holidays are not official yet, provisional ones are reckoned with and the year is named.
    """
    wanted = organisation or caller.user.organisation
    caller.allow(Resource(organisation=wanted))
    file = _calendar_file(caller)
    try:
        due = deadline(file.calendar(wanted, emergency=emergency), start, minutes)
        return shapes.Due(due=due, provisional_years=[])
    except UnknownYearError as error:
        if not error.provisional:
            raise
    calendar = file.calendar(wanted, provisional=True)
    due = deadline(calendar, start, minutes)
    return shapes.Due(due=due, provisional_years=list(provisional_years(calendar, start, due)))


@router.post("/{id}/slots", summary="Offer times", responses=LATE)
def publish_slots(
    caller: Manager,
    id: UUID,  # noqa: A002 - the path's name of it
    body: shapes.Times,
) -> shapes.Slots:
    """Offer times of a calendar of one's campus, all of them or none. What is offered already stays."""
    with writing(caller) as connection:
        decision = caller.allow(Resource(organisation=resources.get(connection, id).organisation))
        times = [(one.start, one.end) for one in body.times]
        made = resources.publish(connection, id, times, by=caller.user.username)
        caller.note_in(connection, f"{decision.reason}; {len(made)} slots offered", [], f"calendar {id}")
    return shapes.Slots(items=[shapes.slot(one) for one in made])


@router.delete("/slots/{id}", status_code=204, summary="Offer a time no more", responses=LATE)
def withdraw_slot(caller: Manager, id: UUID) -> None:  # noqa: A002 - the path's name of it
    """Withdraw a slot that nobody has."""
    with writing(caller) as connection:
        owner = resources.get(connection, rows.slots(connection, [id])[id].resource)
        decision = caller.allow(Resource(organisation=owner.organisation))
        resources.withdraw(connection, id, by=caller.user.username)
        caller.note_in(connection, decision.reason, [], f"slot {id}")


def _calendar_file(caller: Caller) -> CalendarFile:
    try:
        return load(caller.parts.settings.rules_dir)
    except CalendarFileError as error:
        detail = "the calendar of working time cannot be used; the engineer sees why by ./yilian rules lint"
        raise FailureError(Failure(503, "calendar-unavailable", detail)) from error
