"""Retention: what is kept how long, how large it is, and what goes next."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from api.caller import Caller, gate
from bus.retention.run import plan
from consortium.access.model import SHARED, Action
from runtime.keeping import keep

router = APIRouter(prefix="/retention", tags=["messages"])
Reader = Annotated[Caller, Depends(gate(Action.ALERT_READ))]


class Keep(BaseModel):
    """Days for which things are kept; 0: for ever."""

    bodies: int = Field(description="bytes of messages, what was sent to other systems, their answers")
    traces: int
    index: int = Field(description="what messages are found by, and duplicates recognised")


class Day(BaseModel):
    """The bodies of one day (China's time)."""

    day: date
    bodies: int = Field(description="nearly")
    bytes: int
    goes: bool = Field(description="whether the next run drops it")
    unfinished: int = Field(description="bodies that would stay: their messages are not finished")


class Retention(BaseModel):
    """What is kept, and what the next run would take away."""

    keep_days: Keep
    days: list[Day]
    kept_bodies: int = Field(description="bodies that outlived their day")
    kept_bytes: int
    rows: dict[str, int] = Field(description="by kind, how many rows would go", examples=[{"traces": 0}])


@router.get("", summary="Show what is kept how long")
def show_retention(caller: Reader) -> Retention:
    """Return each day's bodies and what goes next. Nothing is changed: it runs by itself."""
    caller.allow(SHARED)
    limits = keep(caller.parts.settings)
    with caller.parts.statements.connect() as connection:
        found = plan(connection, limits, datetime.now(UTC))
    going = {one.partition.day: one.unfinished.bodies for one in found.going}
    days = [
        Day(
            day=one.day,
            bodies=one.bodies,
            bytes=one.bytes,
            goes=one.day in going,
            unfinished=going.get(one.day, 0),
        )
        for one in found.partitions
    ]
    return Retention(
        keep_days=Keep(**asdict(limits)),
        days=days,
        kept_bodies=found.kept.bodies,
        kept_bytes=found.kept.bytes,
        rows=dict(found.rows),
    )
