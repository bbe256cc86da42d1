"""A circuit breaker of a destination: after failures in a row it is left alone, then one message asks."""

from __future__ import annotations

import enum
from collections.abc import Callable

from bus.delivery.backoff import backoff
from bus.rules.destinations import Breaker as Thresholds


class Position(enum.StrEnum):
    """How it stands."""

    CLOSED = "closed"
    """Messages flow."""
    OPEN = "open"
    """Nothing is sent until a time."""
    HALF_OPEN = "half_open"
    """One message may try."""


class Breaker:
    """Counts failures; times are seconds of one steady clock, passed in."""

    def __init__(self, thresholds: Thresholds, chance: Callable[[], float]) -> None:
        """`chance` draws from [0, 1)."""
        self._thresholds = thresholds
        self._chance = chance
        self._failed: set[int] = set()
        self._opened = 0
        """Times it opened in a row."""
        self._until: float | None = None

    def position(self, now: float) -> Position:
        """Return how it stands at a time."""
        if self._until is None:
            return Position.CLOSED
        return Position.OPEN if now < self._until else Position.HALF_OPEN

    def room(self, now: float, connections: int) -> int:
        """Return how many messages may be on their way at a time."""
        return {Position.CLOSED: connections, Position.OPEN: 0, Position.HALF_OPEN: 1}[self.position(now)]

    def wait(self, now: float) -> float:
        """Return the seconds until one may try; 0 when it is not open."""
        return max(0.0, (self._until or now) - now)

    def succeeded(self) -> None:
        """The destination answered: close."""
        self._failed.clear()
        self._opened = 0
        self._until = None

    def failed(self, now: float, failure: int) -> None:
        """Count a failure.

        `failure` names what failed: a message that fails again and again is one failure, and does not open
        the breaker against all others.
        """
        position = self.position(now)
        self._failed.add(failure)
        if position is Position.HALF_OPEN or (
            position is Position.CLOSED and len(self._failed) >= self._thresholds.failures
        ):
            self._open(now)

    def _open(self, now: float) -> None:
        self._opened += 1
        one = self._thresholds
        self._until = now + backoff(self._opened, one.open_seconds, one.longest_seconds, self._chance())
        self._failed.clear()
