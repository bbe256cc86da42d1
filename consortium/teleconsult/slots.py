"""The time of a consultation: a slot of each expert, held together, confirmed together, given back.

Everything is in the transaction of the step. Each booking's key names the consultation and the expert, so
that a step that is tried again finds it; that nothing is booked twice, the constraint of scheduling sees to.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from consortium.referral.model import Words
from consortium.scheduling import booking, resources, rows
from consortium.scheduling.model import Booking, Slot, Want
from consortium.scheduling.resources import Search
from consortium.teleconsult.decide import Refusal
from consortium.teleconsult.model import Need
from consortium.teleconsult.store import Row

SYSTEM = "system"
"""Who gives back what a deadline ended."""


@dataclass(frozen=True, slots=True)
class Time:
    """A time at which every expert is free, with the slot of each in their order."""

    start: datetime
    end: datetime
    slots: tuple[UUID, ...]


def key(consultation_id: UUID, expert: str) -> str:
    """Return the business key of an expert's booking."""
    return f"consultation-{consultation_id}:{expert}"


def common(connection: sa.Connection, experts: Sequence[str], start: datetime, end: datetime) -> list[Time]:
    """Return the times that all experts offer and have free, the earliest first."""
    offers: list[dict[tuple[datetime, datetime], UUID]] = []
    for expert in experts:
        resource = resources.of_user(connection, expert)
        if resource is None:
            return []
        free = resources.offered(connection, Search(start=start, end=end, resource=resource.id, begins=True))
        offers.append({(slot.start, slot.end): slot.id for slot in free})
    if not offers:
        return []
    shared = set(offers[0]).intersection(*offers[1:])
    return [Time(*when, tuple(offer[when] for offer in offers)) for when in sorted(shared)]


def unfit(connection: sa.Connection, row: Row, slots: Sequence[UUID]) -> Refusal | None:
    """Return why slots are not one of each expert at the same time; None: they are. Raises UnknownError."""
    found = rows.slots(connection, slots)
    owners = [resources.get(connection, found[slot].resource).username for slot in slots]
    times = {(slot.start, slot.end) for slot in found.values()}
    if row["experts"] and sorted(map(str, owners)) == sorted(row["experts"]) and len(times) == 1:
        return None
    return Refusal(
        "something-missing",
        Words(
            "name one slot of every assigned expert, all with the same beginning and end",
            "请为每位受邀专家各选一个起止时间相同的时段",
        ),
        (Need.SLOTS,),
    )


def hold(connection: sa.Connection, row: Row, slots: Sequence[UUID], by: str) -> Row:
    """Hold slots in place of what was held or booked before; return the columns that changes.

    Raises SlotTakenError; the caller's transaction ends with it, and what was booked is kept.
    """
    give_back(connection, row, by)
    found = rows.slots(connection, slots)
    wants = [Want(slot, key(row["id"], _expert(connection, found[slot]))) for slot in slots]
    subject = f"consultation-{row['id']}"
    held = booking.hold(connection, wants, subject=subject, by=by, length=booking.LONGEST_HOLD)
    return {"starts_at": held[0].start, "ends_at": held[0].end, "confirmed_by": []}


def confirm(connection: sa.Connection, row: Row, by: str) -> None:
    """Book what is held. Raises HoldExpiredError."""
    for held in _in_order(connection, row):
        booking.confirm(connection, held.key, by=by)


def give_back(connection: sa.Connection, row: Row, by: str) -> Row:
    """Release everything that is held or booked; return the columns that changes."""
    for held in _in_order(connection, row):
        booking.release(connection, held.key, by=by)
    return {"starts_at": None, "ends_at": None, "confirmed_by": []}


def _in_order(connection: sa.Connection, row: Row) -> Iterable[Booking]:
    """Return what is held or booked by resource: who locks in one order does not wait in a circle."""
    active = [rows.active(connection, key(row["id"], expert)) for expert in row["experts"]]
    return sorted((one for one in active if one is not None), key=lambda one: one.resource)


def _expert(connection: sa.Connection, slot: Slot) -> str:
    return str(resources.get(connection, slot.resource).username)
