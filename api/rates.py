"""How much a user may ask for in a while."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from time import monotonic


class Allowance:
    """So many units a minute for each user, saved up for one minute at most; kept by this process.

    A request that is larger than all that can be saved up goes when everything is saved up, and is owed.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = monotonic) -> None:
        """Allow `per_minute` units; `clock` gives seconds that never run backwards."""
        self._most = float(per_minute)
        self._clock = clock
        self._left: dict[str, tuple[float, float]] = {}
        self._lock = Lock()

    def take(self, user: str, units: int) -> float:
        """Take units and return 0.0, or take none and return the seconds after which there are enough."""
        with self._lock:
            now = self._clock()
            left, then = self._left.get(user, (self._most, now))
            left = min(self._most, left + (now - then) * self._most / 60)
            needed = min(float(units), self._most)
            if left < needed:
                return (needed - left) * 60 / self._most
            self._left[user] = (left - units, now)
            return 0.0
