"""What the routes of video take and give."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from consortium.teleconsult.rooms.model import RoomRole

Where = Literal["absent", "waiting", "admitted", "inside", "sent_out"]


class Invited(BaseModel):
    """Whoever opened a link."""

    model_config = ConfigDict(extra="forbid")

    invitation: str = Field(max_length=2000, repr=False, description="what stands behind `#invitation=`")
    device: str = Field(
        min_length=16,
        max_length=200,
        repr=False,
        description="a secret that this browser made and keeps: the link opens in the first browser alone",
    )


class Somebody(BaseModel):
    """Who is who in the room; the video server knows the id alone."""

    id: UUID
    shown_as: str = Field(examples=["王医生"])
    role: RoomRole


class Admission(BaseModel):
    """The answer at the door: come in, or wait. Ask again every few seconds while waiting."""

    standing: Literal["enter", "wait"]
    you: UUID = Field(description="your participant's id")
    closes_at: datetime = Field(description="when everybody is sent out")
    url: str | None = Field(default=None, description="the video server's address; none while waiting")
    token: str | None = Field(default=None, repr=False, description="for the video server; lives 2 minutes")
    people: list[Somebody] = Field(default=[], description="who is booked; nobody while waiting")
    keeps_door: bool = Field(default=False, description="whether you let people in")


class Waiting(BaseModel):
    """Somebody in the waiting room."""

    id: UUID
    role: RoomRole
    since: datetime


class WaitingRoom(BaseModel):
    """Who waits now."""

    items: list[Waiting]


class Present(BaseModel):
    """A time in the room; connections that broke and came back within 90 seconds are one."""

    since: datetime
    until: datetime | None = Field(description="null: still there")


class Attendance(Somebody):
    """A participant, where they are, and when they were there."""

    where: Where
    present: list[Present]
    seconds: int = Field(description="how long in all")


class RoomShown(BaseModel):
    """A consultation's room."""

    consultation_id: UUID
    organisation: str = Field(examples=["MAIN"])
    opens_at: datetime
    closes_at: datetime
    ended_at: datetime | None
    participants: list[Attendance]


class Link(BaseModel):
    """A link for one person; it is shown once."""

    path: str = Field(repr=False, examples=["/video#invitation=…"])
    expires_at: datetime


class Done(BaseModel):
    """What was asked holds now."""

    id: UUID
    where: Where
