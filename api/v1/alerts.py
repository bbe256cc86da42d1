"""Alerts: what is wrong with the bus, and who takes care of it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from api.caller import Caller, gate
from api.failures import not_found
from bus.alerts import store
from consortium.access.model import SHARED, Action

router = APIRouter(prefix="/alerts", tags=["alerts"])
Reader = Annotated[Caller, Depends(gate(Action.ALERT_READ))]
Acknowledger = Annotated[Caller, Depends(gate(Action.ALERT_ACKNOWLEDGE))]


class Alert(BaseModel):
    """One alert, from raised to cleared."""

    id: int
    name: str = Field(
        description="queue_age, error_rate, silence, unmapped, process, gateway, disk, destination_age,"
        " destination_stuck, destination_breaker, subscriber_age, notification_stuck,"
        " notification_age or documents_store"
    )
    subject: str = Field(
        description="a campus, a process, a gateway or a destination; empty for the whole platform"
    )
    value: float
    threshold: float
    detail: str
    raised_at: datetime
    cleared_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    note: str | None


class Alerts(BaseModel):
    """A page, newest first."""

    items: list[Alert]
    next: int | None = Field(description="give it as `before` for the next page; null at the end")


class Note(BaseModel):
    """What one has to say about it; no patient data."""

    model_config = ConfigDict(extra="forbid")

    note: str = Field(default="", max_length=500)


@router.get("", summary="List alerts")
def list_alerts(
    caller: Reader,
    every: Annotated[bool, Query(description="those that were cleared, too")] = False,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    before: Annotated[int, Query(ge=1, description="alerts older than this number")] = store.NEWEST,
) -> Alerts:
    """Return the open ones, the newest first."""
    caller.allow(SHARED)
    with caller.parts.statements.connect() as connection:
        found = store.alerts(connection, every=every, limit=limit, before=before)
    items = [Alert(**asdict(one)) for one in found]
    return Alerts(items=items, next=items[-1].id if len(items) == limit else None)


@router.post(
    "/{id}/acknowledge",
    summary="Take care of an alert",
    responses={409: {"description": "another has acknowledged it"}},
)
def acknowledge_alert(
    caller: Acknowledger,
    id: int,  # noqa: A002 - the path's name of it
    body: Note | None = None,
) -> Alert:
    """Note who takes care. It is cleared by itself when what is wrong is over."""
    decision = caller.allow(SHARED)
    with caller.parts.statements.connect() as connection:
        if store.alert(connection, id) is None:
            raise not_found("alert")
        store.acknowledge(connection, id, caller.user.username, body.note if body else "")
        found = store.alert(connection, id)
    if found is None:
        raise not_found("alert")
    caller.note(decision.reason, what=f"alert {id}")
    return Alert(**asdict(found))
