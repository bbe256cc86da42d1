"""Who is told of changes of master data."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from api.caller import Caller, gate
from api.failures import not_found
from bus.master_data import standing, subscribing
from bus.master_data.subscribing import Wanted
from consortium.access.model import SHARED, Action, Resource
from consortium.terminology import subscribers
from consortium.terminology.model import GROUP

router = APIRouter(prefix="/master-data/subscribers", tags=["master data"])
Reader = Annotated[Caller, Depends(gate(Action.MASTER_DATA_READ))]
Writer = Annotated[Caller, Depends(gate(Action.MASTER_DATA_WRITE))]
Name = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9-]{0,60}$", examples=["main-his"])]


class Subscription(BaseModel):
    """What a system is told of."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"kinds": ["department", "code-map"]}]}
    )

    kinds: list[str] = Field(min_length=1, description=", ".join(subscribers.SUBSCRIBABLE))
    destination: str | None = Field(
        default=None,
        description="by which it is told, a file of rules/destinations; by default the one of its own name",
        examples=["main-his"],
    )


class Subscriber(Subscription):
    """A system that is told of changes."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(examples=["main-his"])
    waiting: int = Field(description="changes that it was not told yet")
    oldest_waiting_at: datetime | None = Field(description="when the first of those was made")
    sent_at: datetime | None = Field(description="when it took the last one")
    problem: str | None = Field(description="why nothing goes to it, and what to do")


class Subscribers(BaseModel):
    """All of them."""

    items: list[Subscriber]


def _subscriber(one: standing.Standing) -> Subscriber:
    return Subscriber(
        name=one.subscriber.name,
        kinds=list(one.subscriber.kinds),
        destination=one.subscriber.destination,
        waiting=one.waiting,
        oldest_waiting_at=one.oldest,
        sent_at=one.sent_at,
        problem=None if one.problem is None else one.problem.text,
    )


@router.get("", summary="List who is told of changes, and what waits for each")
def list_subscribers(caller: Reader) -> Subscribers:
    """Return every subscriber and how it stands."""
    caller.allow(SHARED)
    with caller.parts.statements.connect() as connection:
        found = standing.standings(connection, caller.parts.destinations.get(connection))
    return Subscribers(items=[_subscriber(one) for one in found])


@router.put("/{name}", summary="Tell a system of changes")
def subscribe(
    caller: Writer,
    name: Name,
    subscription: Subscription,
    present: Annotated[bool, Query(description="tell it what there is already, too")] = False,
) -> Subscriber:
    """Register a subscriber, or change what it is told. The same again changes nothing."""
    decision = caller.allow(Resource(organisation=GROUP))
    wanted = Wanted(name, subscription.kinds, subscription.destination, present)
    with caller.parts.engine.begin() as connection:
        specs = caller.parts.destinations.get(connection)
        one = subscribing.subscribe(connection, wanted, specs, caller.user.username)
        stands = next(
            found for found in standing.standings(connection, specs) if found.subscriber.name == one.name
        )
    told = f"told of {', '.join(one.kinds)} by {one.destination}"
    caller.note(f"{decision.reason}; {told}", what=f"subscriber {name}")
    return _subscriber(stands)


@router.delete("/{name}", status_code=204, summary="Tell a system no more")
def unsubscribe(caller: Writer, name: Name) -> None:
    """Forget a subscriber and what waits for it; what is queued at its destination goes out."""
    decision = caller.allow(Resource(organisation=GROUP))
    with caller.parts.engine.begin() as connection:
        known = subscribing.unsubscribe(connection, name)
    if not known:
        raise not_found("subscriber")
    caller.note(decision.reason, what=f"subscriber {name}")
