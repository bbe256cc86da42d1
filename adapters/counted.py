"""Counts what an adapter's inbox was given: what its process shows in its heartbeat."""

from __future__ import annotations

from typing import Protocol

from bus.envelope import Arrival, Receipt, Refusal
from consortium.errors import RetryableError


class Inbox(Protocol):
    """What is counted."""

    async def accept(self, arrival: Arrival) -> Receipt:
        """Store and return after the commit."""
        ...

    async def refuse(self, refusal: Refusal) -> int:
        """Keep what was not accepted; return its number."""
        ...


class Counted:
    """An inbox that counts, since the start of the process."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self.accepted = 0
        """Messages answered after their commit."""
        self.refused = 0
        """Refusals kept."""
        self.unavailable = 0
        """Messages that were not stored, and whose senders were told to send again."""

    def detail(self) -> dict[str, int]:
        """Return the counts by name."""
        return {"accepted": self.accepted, "refused": self.refused, "unavailable": self.unavailable}

    async def accept(self, arrival: Arrival) -> Receipt:
        """Store and return after the commit. Raises as the inbox does."""
        try:
            receipt = await self._inbox.accept(arrival)
        except RetryableError:
            self.unavailable += 1
            raise
        self.accepted += 1
        return receipt

    async def refuse(self, refusal: Refusal) -> int:
        """Keep what was not accepted. Raises as the inbox does."""
        number = await self._inbox.refuse(refusal)
        self.refused += 1
        return number
