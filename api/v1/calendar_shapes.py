"""What is said and asked over `/api/v1/calendars`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from consortium.scheduling import model

Kind = Literal["expert", "clinic", "bed", "room"]
KEY = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,199}$"
SUBJECT = r"^(referral|consultation)-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
SAMPLE = "consultation-0198c0de-0000-7000-8000-000000000001"
Key = Annotated[str, Field(pattern=KEY, examples=[f"{SAMPLE}:expert-1"])]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewCalendar(_Asked):
    """Whose time is booked."""

    organisation: str = Field(min_length=1, max_length=20, examples=["MAIN"], description="campus code")
    kind: Kind
    name: str = Field(min_length=1, max_length=100, examples=["心内科 远程会诊"])
    username: str | None = Field(default=None, max_length=100, description="an expert's account")


class Calendar(BaseModel):
    """Whose time is booked, as it is registered."""

    id: UUID
    organisation: str = Field(examples=["MAIN"])
    kind: Kind
    name: str = Field(examples=["心内科 远程会诊"])
    username: str | None = Field(description="an expert's account; while they are absent nothing is booked")


class Calendars(BaseModel):
    """All that were asked for."""

    items: list[Calendar]


class Time(_Asked):
    """From `start` until just before `end`, both with an offset."""

    start: AwareDatetime = Field(examples=["2026-12-01T09:00:00+08:00"])
    end: AwareDatetime = Field(examples=["2026-12-01T09:30:00+08:00"])

    @model_validator(mode="after")
    def _forward(self) -> Time:
        if self.end <= self.start:
            raise ValueError("end must be later than start")
        return self


class Times(_Asked):
    """Times to be offered."""

    times: list[Time] = Field(min_length=1, max_length=500)


class Slot(BaseModel):
    """A time that is offered."""

    id: UUID
    calendar: UUID
    start: datetime
    end: datetime
    state: model.Offer = Field(description="absent: the expert is away")
    held_until: datetime | None = Field(description="it is free then, unless it is confirmed")


class Slots(BaseModel):
    """Slots, the earliest first."""

    items: list[Slot]


class Wanted(_Asked):
    """A slot, and the key by which asking again gives the same booking."""

    slot: UUID
    key: Key


class Hold(_Asked):
    """Slots to be held, all of them or none."""

    subject: str = Field(pattern=SUBJECT, examples=[SAMPLE], description="the workflow that it is for")
    minutes: int = Field(default=30, ge=1, le=7 * 24 * 60, description="how long; then they are free again")
    slots: list[Wanted] = Field(min_length=1, max_length=20)


class Move(_Asked):
    """Where to."""

    slot: UUID


class Booking(BaseModel):
    """A slot that somebody holds or has."""

    id: UUID
    key: str
    subject: str
    calendar: UUID
    slot: UUID
    start: datetime
    end: datetime
    state: model.State
    held_until: datetime | None = Field(description="while it is held")
    moves: int = Field(description="how often it was moved")


class Bookings(BaseModel):
    """Bookings, in the order in which they were asked for."""

    items: list[Booking]


class NewFeed(_Asked):
    """Whose calendar."""

    calendar: UUID | None = Field(default=None, description="without it one's own")


class Feed(BaseModel):
    """A personal address: whoever knows it reads the feed, so it is kept like a password."""

    id: UUID
    path: str = Field(examples=["/api/v1/calendars/feeds/0f…ics"], description="below the address of the API")


class Due(BaseModel):
    """When a deadline falls."""

    due: datetime
    provisional_years: list[int] = Field(
        description="years whose public holidays are not official yet: reckon again when they are"
    )


def calendar(one: model.Resource) -> Calendar:
    """Show whose time is booked."""
    return Calendar(
        id=one.id, organisation=one.organisation, kind=one.kind, name=one.name, username=one.username
    )


def slot(one: model.Slot) -> Slot:
    """Show a slot."""
    return Slot(
        id=one.id,
        calendar=one.resource,
        start=one.start,
        end=one.end,
        state=one.state,
        held_until=one.held_until,
    )


def booking(one: model.Booking) -> Booking:
    """Show a booking."""
    return Booking(
        id=one.id,
        key=one.key,
        subject=one.subject,
        calendar=one.resource,
        slot=one.slot,
        start=one.start,
        end=one.end,
        state=one.state,
        held_until=one.held_until if one.state == "held" else None,
        moves=one.moves,
    )
