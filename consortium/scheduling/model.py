"""The words of slots and bookings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

Kind = Literal["expert", "clinic", "bed", "room"]
State = Literal["held", "confirmed", "released", "expired"]
Offer = Literal["free", "held", "confirmed", "absent"]
"""How a published slot stands; absent: the expert is away."""


@dataclass(frozen=True, slots=True)
class Resource:
    """Whose time is booked."""

    id: UUID
    organisation: str
    kind: Kind
    name: str
    username: str | None
    """The expert, by their account; while they are absent nothing of theirs is booked."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A time that a resource offers, from `start` until just before `end`."""

    id: UUID
    resource: UUID
    start: datetime
    end: datetime
    state: Offer = "free"
    held_until: datetime | None = None
    """Until when it is held; it is free then unless it was confirmed."""


@dataclass(frozen=True, slots=True)
class Booking:
    """A slot that somebody holds or has."""

    id: UUID
    key: str
    subject: str
    """Id of the workflow that it is for, `consultation-<uuid>`; no patient data."""
    resource: UUID
    slot: UUID
    start: datetime
    end: datetime
    state: State
    held_until: datetime
    held_by: str
    moves: int
    """How often it was moved to another slot."""
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Want:
    """A slot to be held, and the business key by which asking again gives the same booking."""

    slot: UUID
    key: str
