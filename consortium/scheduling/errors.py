"""What scheduling refuses. Each tells the state as it is now, in `current`, for whoever was too late."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from consortium.errors import ConflictError, PermanentError


class UnknownError(PermanentError):
    """There is no such resource, slot, booking or user."""

    code = "unknown"


class StateError(ConflictError):
    """The slot or booking is not in a state that allows this."""

    def __init__(self, text: str, current: Mapping[str, str | None], *, zh: str = "") -> None:
        """`current`: how it stands, in words and ISO times; no patient data, no names."""
        super().__init__(text, zh=zh)
        self.current = dict(current)


class SlotTakenError(StateError):
    """Somebody else has the slot, or it is offered no more."""


class KeyInUseError(StateError):
    """The business key has a booking of another slot: that is moved, not held again."""


class HoldExpiredError(StateError):
    """It was held for too long and is free again: hold it again, if nobody else did."""


class NotActiveError(StateError):
    """The booking was released, or its hold expired."""


class OverlapError(StateError):
    """A time that is published, or an absence, overlaps one that is there."""


def at(time: datetime | None) -> str | None:
    """Return a time as `current` has it."""
    return None if time is None else time.isoformat()
