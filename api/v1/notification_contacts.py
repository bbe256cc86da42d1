"""Who is reached how, and who has which duty: kept by administrators. An answer never shows an address."""

from __future__ import annotations

from typing import Annotated, Literal

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from api.caller import Caller, gate
from api.failures import Failure, FailureError, not_found
from consortium.access import accounts
from consortium.access.model import Action, Resource, Role
from consortium.notifications import contacts
from consortium.notifications.contacts import Duty
from consortium.notifications.model import PATIENT, STAFF, Party

router = APIRouter(prefix="/notifications", tags=["notifications"])
Keeper = Annotated[Caller, Depends(gate(Action.CONTACT_WRITE))]
Username = Annotated[str, Path(max_length=100, examples=["coordinator.huangpu"])]
Facility = Annotated[str, Path(pattern=r"^[A-Z][A-Z0-9_-]{0,19}$", examples=["HP"])]
Name = Annotated[str, Path(pattern=r"^[a-z][a-z0-9_]{0,59}$", examples=["referral_coordinator"])]
Code = Annotated[
    str, Query(max_length=60, description="department or staff number that it is narrowed to; empty: none")
]


class Contact(BaseModel):
    """How an account is reached."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"phone": "13800000000", "email": "chen@example.org"}]},
    )

    phone: str | None = Field(default=None, pattern=r"^\+?[0-9][0-9 -]{4,24}$")
    email: str | None = Field(default=None, max_length=254, pattern=r"^[^@\s<>,;]+@[^@\s<>,;]+$")
    wechat: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]{1,64}$", description="openid")
    language: Literal["zh", "en"] = "zh"


class Holders(BaseModel):
    """Who has a duty."""

    facility: str
    duty: str
    code: str
    usernames: list[str]


@router.put("/contacts/{username}", summary="Say how an account is reached", status_code=204)
def set_contact(caller: Keeper, username: Username, body: Contact) -> Response:
    """Replace its addresses; what it prefers stays."""
    with caller.parts.engine.begin() as connection:
        reason = _of_staff(caller, connection, username)
        told = body.model_dump()
        contacts.keep(connection, Party.staff(username), **told, by=caller.user.username)
        caller.note_in(connection, reason, [], f"contact of {username}")
    return Response(status_code=204)


@router.get("/duties/{facility}/{duty}", summary="Who has a duty")
def show_duty(caller: Keeper, facility: Facility, duty: Name, code: Code = "") -> Holders:
    """Return those who would be told: of the department or number, else of all of it."""
    caller.allow(Resource(facility))
    with caller.parts.statements.connect() as connection:
        return _holders(connection, Duty(facility, duty, code))


@router.put("/duties/{facility}/{duty}/{username}", summary="Give an account a duty")
def assign(caller: Keeper, facility: Facility, duty: Name, username: Username, code: Code = "") -> Holders:
    """From now on it is told what is for the duty, and reads it in the application."""
    if duty in (STAFF, PATIENT):
        raise FailureError(Failure(422, "no-duty", f"{duty} is no duty: those are told by their name"))
    wanted = Duty(facility, duty, code)
    with caller.parts.engine.begin() as connection:
        _of_staff(caller, connection, username)
        reason = caller.allow(Resource(facility)).reason
        contacts.assign(connection, wanted, username)
        found = _holders(connection, wanted)
        caller.note_in(connection, reason, [], f"duty {facility}/{duty}/{code} to {username}")
    return found


@router.delete("/duties/{facility}/{duty}/{username}", summary="Take a duty from an account")
def relieve(caller: Keeper, facility: Facility, duty: Name, username: Username, code: Code = "") -> Holders:
    """From now on it is not told any more."""
    wanted = Duty(facility, duty, code)
    reason = caller.allow(Resource(facility)).reason
    with caller.parts.engine.begin() as connection:
        if not contacts.relieve(connection, wanted, username):
            raise not_found("duty of that account")
        found = _holders(connection, wanted)
        caller.note_in(connection, reason, [], f"duty {facility}/{duty}/{code} from {username}")
    return found


def _of_staff(caller: Caller, connection: sa.Connection, username: str) -> str:
    """Ask whether the caller may change an account of staff. Raises FailureError, ForbiddenError."""
    found = accounts.find(connection, username)
    if found is None or found.user.role in (Role.PATIENT, Role.SYSTEM):
        raise not_found("account of staff")
    return caller.allow(Resource(found.user.organisation)).reason


def _holders(connection: sa.Connection, wanted: Duty) -> Holders:
    found = contacts.holders(connection, wanted)
    return Holders(facility=wanted.facility, duty=wanted.duty, code=wanted.code, usernames=found)
