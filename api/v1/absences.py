"""Absences and duties: who is away, who covers, and so who acts."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import Connection

from api.caller import Caller, gate
from api.failures import not_found
from api.v1.calendars import LATE, writing
from consortium.access import accounts
from consortium.access.model import Action, Resource
from consortium.scheduling import absences
from consortium.scheduling.absence import EVERY_DUTY, Absence, Nobody

router = APIRouter(tags=["calendars"])
Reader = Annotated[Caller, Depends(gate(Action.CALENDAR_READ))]
Absent = Annotated[Caller, Depends(gate(Action.ABSENCE_RECORD))]
Manager = Annotated[Caller, Depends(gate(Action.CALENDAR_MANAGE))]
DUTY = r"^[a-z][a-z0-9-]{0,59}$"
Username = Annotated[str, Field(min_length=1, max_length=100, examples=["doctor.main"])]
DutyName = Annotated[str, Path(pattern=DUTY, examples=["referral-review"])]


class NewAbsence(BaseModel):
    """Somebody is away, from `since` until just before `until`."""

    model_config = ConfigDict(extra="forbid")

    username: Username
    since: AwareDatetime = Field(examples=["2026-12-01T00:00:00+08:00"])
    until: AwareDatetime = Field(examples=["2026-12-08T00:00:00+08:00"])
    covered_by: Username | None = Field(default=None, description="without it who holds the duty next")
    duty: str = Field(default=EVERY_DUTY, pattern=f"{DUTY}|^$", description="from this one alone")

    @model_validator(mode="after")
    def _sound(self) -> NewAbsence:
        if self.until <= self.since:
            raise ValueError("until must be later than since")
        if self.covered_by == self.username:
            raise ValueError("nobody covers for themself")
        return self


class Recorded(BaseModel):
    """The absence as it is recorded."""

    id: UUID


class Holders(BaseModel):
    """Who has a duty, who is asked first before the others."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"holders": ["doctor.main"]}]})

    holders: list[Username] = Field(max_length=50)

    @model_validator(mode="after")
    def _once(self) -> Holders:
        if len(set(self.holders)) != len(self.holders):
            raise ValueError("each holder once")
        return self


class WhoActs(BaseModel):
    """Who has a duty at an instant."""

    state: Literal["acting", "nobody"] = Field(description="nobody: to be escalated")
    username: str | None
    instead_of: str | None = Field(description="the holder who is away")
    chain: list[str] = Field(description="the holder, who covers for them, and so on")
    reason: str | None = Field(description="why nobody acts")
    at: datetime


@router.post("/absences", summary="Say that somebody is away, and who covers", responses=LATE)
def record_absence(caller: Absent, body: NewAbsence) -> Recorded:
    """Record an absence of one's own, or as coordinator of one's campus. The same again is the same one."""
    absence = Absence(body.username, body.since, body.until, body.covered_by, body.duty)
    with writing(caller) as connection:
        _allow(caller, connection, body.username)
        id_ = absences.record(connection, absence, by=caller.user.username)
        caller.note_in(connection, f"{body.username} is away", [], f"absence {id_}")
    return Recorded(id=id_)


@router.delete("/absences/{id}", status_code=204, summary="Say that an absence is none")
def withdraw_absence(caller: Absent, id: UUID) -> None:  # noqa: A002 - the path's name of it
    """Withdraw an absence of one's own; coordinators withdraw those of their campus."""
    with writing(caller) as connection:
        _allow(caller, connection, absences.whose(connection, id))
        absences.withdraw(connection, id, by=caller.user.username)
        caller.note_in(connection, "absence withdrawn", [], f"absence {id}")


@router.put("/duties/{facility}/{name}", status_code=204, summary="Say who has a duty")
def set_holders(caller: Manager, facility: str, name: DutyName, body: Holders) -> None:
    """Name the holders of a duty of one's campus, in the order in which they are asked."""
    decision = caller.allow(Resource(organisation=facility))
    with writing(caller) as connection:
        absences.set_holders(connection, facility, name, body.holders)
        caller.note_in(connection, decision.reason, [], f"duty {name} of {facility}")


@router.get("/duties/{facility}/{name}", summary="Who acts")
def who_acts(
    caller: Reader,
    facility: str,
    name: DutyName,
    at: Annotated[AwareDatetime | None, Query(description="without it now")] = None,
) -> WhoActs:
    """Decide who has a duty, absences and covers considered."""
    caller.allow(Resource(organisation=facility))
    when = at or caller.parts.now()
    with caller.parts.statements.connect() as connection:
        found = absences.acting(connection, facility, name, when)
    if isinstance(found, Nobody):
        return WhoActs(state="nobody", username=None, instead_of=None, chain=[], reason=found.reason, at=when)
    return WhoActs(
        state="acting",
        username=found.username,
        instead_of=found.instead_of,
        chain=list(found.chain),
        reason=None,
        at=when,
    )


def _allow(caller: Caller, connection: Connection, username: str) -> None:
    """Let people write absences of their own, and coordinators those of their campus."""
    account = accounts.find(connection, username)
    if account is None:
        raise not_found("user")
    if username == caller.user.username:
        caller.allow(Resource(organisation=caller.user.organisation))
    else:
        caller.allow(Resource(organisation=account.user.organisation), Action.CALENDAR_MANAGE)
