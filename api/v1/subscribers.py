"""Who is told of changes of master data."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from api.caller import Caller, gate
from api.failures import not_found
from bus.master_data import outbox
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


class Subscriber(Subscription):
    """A system that is told of changes."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(examples=["main-his"])
    destination: str = Field(
        description="where its changes lie for delivery", examples=["master-data:main-his"]
    )


class Subscribers(BaseModel):
    """All of them."""

    items: list[Subscriber]


def _subscriber(one: subscribers.Subscriber) -> Subscriber:
    return Subscriber(name=one.name, kinds=list(one.kinds), destination=one.destination)


@router.get("", summary="List who is told of changes")
def list_subscribers(caller: Reader) -> Subscribers:
    """Return every subscriber."""
    caller.allow(SHARED)
    with caller.parts.statements.connect() as connection:
        found = subscribers.listed(connection)
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
    with caller.parts.engine.begin() as connection:
        one = subscribers.subscribe(connection, name, subscription.kinds, caller.user.username)
        if present:
            outbox.publish_present(connection, one)
    caller.note(f"{decision.reason}; told of {', '.join(one.kinds)}", what=f"subscriber {name}")
    return _subscriber(one)


@router.delete("/{name}", status_code=204, summary="Tell a system no more")
def unsubscribe(caller: Writer, name: Name) -> None:
    """Forget a subscriber; what lies in its destination stays there."""
    decision = caller.allow(Resource(organisation=GROUP))
    with caller.parts.engine.begin() as connection:
        known = subscribers.unsubscribe(connection, name)
    if not known:
        raise not_found("subscriber")
    caller.note(decision.reason, what=f"subscriber {name}")
