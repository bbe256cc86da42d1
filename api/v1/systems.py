"""The service registry: the systems of the campuses, as they are seen to send."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from api.caller import Caller, gate
from bus.gateways import gateways
from bus.systems import systems
from consortium.access.model import GROUP, SHARED, Action, Resource
from runtime.tended import patience

router = APIRouter(prefix="/systems", tags=["systems"])
Reader = Annotated[Caller, Depends(gate(Action.MESSAGE_READ))]


class System(BaseModel):
    """One system: a campus's sending application."""

    facility: str = Field(examples=["MAIN"])
    sender: str = Field(examples=["LIS"])
    endpoints: list[str] = Field(description="protocol, and endpoint where it has another name")
    message_types: dict[str, int] = Field(description="messages of each type since it was first seen")
    first_seen: datetime
    last_seen: datetime
    today: int = Field(description="messages today, in China's time")
    held_today: int
    rules: list[str] = Field(description="rules its messages fit; `?`: that depends on the body")
    silent: bool = Field(description="nothing came for longer than its campus may be silent")


class Gateway(BaseModel):
    """A gateway (网关) on a campus's front machine, as it last told of itself."""

    name: str = Field(examples=["ns-front"])
    campuses: list[str] = Field(description="whom it may speak for")
    last_seen: datetime
    silent_seconds: float = Field(description="since its last sign of life")
    last_message: datetime | None
    spooled: int = Field(description="messages there that were not here at last_seen")
    oldest_seconds: float = Field(description="how long the oldest of them has waited by now")
    full: str = Field(description="why it takes nothing from its campus; empty: it does")
    version: str
    doors: dict[str, dict[str, int | float | str]] = Field(description="what each way in has counted")


@router.get("/gateways", summary="List the gateways on front machines")
def list_gateways(caller: Reader) -> list[Gateway]:
    """Return every gateway that ever called; of a campus's staff, those that speak for their campus."""
    own = caller.user.organisation
    caller.allow(SHARED if own == GROUP else Resource(organisation=own))
    with caller.parts.statements.connect() as connection:
        found = gateways(connection)
    return [Gateway(**asdict(one)) for one in found if own in {GROUP, *one.campuses}]


@router.get("", summary="List the campuses' systems")
def list_systems(
    caller: Reader, facility: Annotated[str | None, Query(max_length=20, examples=["MAIN"])] = None
) -> list[System]:
    """Return every system seen, by campus. Counts may be some seconds old."""
    own = caller.user.organisation
    wanted = facility or (None if own == GROUP else own)
    caller.allow(Resource(organisation=wanted) if wanted else SHARED)
    with caller.parts.statements.connect() as connection:
        rules = caller.parts.rules.get(connection)
        found = systems(connection, rules, patience(caller.parts.settings), wanted)
    return [System(**asdict(one)) for one in found]
