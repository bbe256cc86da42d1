"""Figures of identity: duplicates, overlays, review load, and how fast campuses hear of new people."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from api.caller import Caller, gate
from bus.identity.registrations import registrations, speeds
from consortium.access.model import GROUP, SHARED, Action, Resource
from consortium.identity.figures import figures

router = APIRouter()
Reader = Annotated[Caller, Depends(gate(Action.IDENTITY_FIGURES_READ))]
Facility = Annotated[
    str | None, Query(max_length=20, examples=["MAIN"], description="campus; without it one's own, or all")
]
Days = Annotated[int, Query(ge=1, le=366, description="how far back")]


class CampusFigures(BaseModel):
    """One campus's patients."""

    facility: str = Field(examples=["MAIN"])
    numbers: int
    in_use: int = Field(description="numbers that no merge has retired")
    people: int
    linked_across: int = Field(description="people of this campus who are known at another, too")
    duplicates: int = Field(description="numbers in use beyond the first of the same person here")
    duplicate_rate: float = Field(description="of the numbers in use", examples=[0.012])


class SuspectedOverlay(BaseModel):
    """A number whose name and date of birth or card changed at once."""

    source_patient_id: int
    facility: str
    person_id: UUID
    message_id: int = Field(description="the message that changed it; `/api/v1/messages/{message_id}`")
    at: datetime


class ReviewDay(BaseModel):
    """Reviews of one day, in China's time."""

    day: date
    opened: int
    decided: int


class ReviewLoad(BaseModel):
    """The review queue."""

    open: int
    claimed: int
    oldest: datetime | None
    reasons: dict[str, int] = Field(description="open or claimed, by reason")
    weighed: int = Field(description="decided ones that had a weight")
    agreed: int = Field(description="of those, decided as the weight leans")
    agreement: float | None = Field(description="agreed of weighed; null: none yet", examples=[0.93])
    undone: int
    days: list[ReviewDay]


class Dashboard(BaseModel):
    """How well people are told apart."""

    people: int
    linked_across: int = Field(description="people known at two campuses or more")
    campuses: list[CampusFigures]
    overlays: list[SuspectedOverlay] = Field(description="newest first, at most 200")
    reviews: ReviewLoad


class ToldCampus(BaseModel):
    """What one campus was told of a registration."""

    facility: str
    destination: str = Field(description="`/api/v1/destinations/{destination}`")
    state: str = Field(examples=["delivered"])
    queued_at: datetime
    sent_at: datetime | None
    answered_at: datetime | None
    seconds: float | None = Field(description="from received to the campus's acknowledgement")


class NewPerson(BaseModel):
    """One new patient number."""

    id: int
    message_id: int = Field(description="`/api/v1/messages/{message_id}`")
    facility: str = Field(description="where the person was registered")
    person_id: UUID
    known_before: bool = Field(description="linked at once to somebody known by another number")
    received_at: datetime
    linked_at: datetime | None
    told: list[ToldCampus]


class CampusSpeed(BaseModel):
    """How fast one campus heard of people who were registered elsewhere."""

    facility: str
    told: int
    acknowledged: int
    p50: float | None = Field(description="seconds from received to acknowledged", examples=[0.4])
    p95: float | None


class Registrations(BaseModel):
    """A page, newest first, and the speeds of the whole time asked for."""

    items: list[NewPerson]
    next: int | None = Field(description="give it as `before` for the next page; null at the end")
    campuses: list[CampusSpeed]


@router.get("/dashboard", summary="Show duplicates, overlays and review load")
def dashboard(caller: Reader, facility: Facility = None, days: Days = 30) -> Dashboard:
    """Return counts of now; overlays and days reach back `days`."""
    wanted = _wanted(caller, facility)
    with caller.parts.statements.connect() as connection:
        found = figures(connection, wanted, caller.parts.now(), days)
    load = found.load
    return Dashboard(
        people=found.people,
        linked_across=found.linked_across,
        campuses=[CampusFigures(**asdict(one), duplicate_rate=one.duplicate_rate) for one in found.campuses],
        overlays=[SuspectedOverlay(**asdict(one)) for one in found.overlays],
        reviews=ReviewLoad(**asdict(load), agreement=load.agreement),
    )


@router.get("/registrations", summary="Show how fast campuses hear of new people")
def list_registrations(
    caller: Reader,
    facility: Facility = None,
    since: Annotated[datetime | None, Query(description="without it the last day")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    before: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None,
) -> Registrations:
    """Return new patient numbers with what the other campuses were told, and p50 and p95 of each campus."""
    wanted = _wanted(caller, facility)
    start = _aware(since) if since else caller.parts.now() - timedelta(days=1)
    with caller.parts.statements.connect() as connection:
        specs = caller.parts.destinations.get(connection)
        campuses = {name: spec.facility for name, spec in specs.items()}
        found = registrations(connection, campuses, since=start, facility=wanted, before=before, limit=limit)
        heard = speeds(connection, campuses, since=start, facility=wanted)
    return Registrations(
        items=[NewPerson(**asdict(one)) for one in found],
        next=found[-1].id if len(found) == limit else None,
        campuses=[CampusSpeed(**asdict(one)) for one in heard],
    )


def _wanted(caller: Caller, facility: str | None) -> str | None:
    own = caller.user.organisation
    wanted = facility or (None if own == GROUP else own)
    caller.allow(Resource(organisation=wanted) if wanted else SHARED)
    return wanted


def _aware(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)
