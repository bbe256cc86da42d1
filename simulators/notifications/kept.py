"""What a double was given, and how it behaves: it takes, refuses, is late, or takes without a word."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Condition, Event
from typing import Any


class Manner(enum.StrEnum):
    """How a double answers."""

    TAKES = "takes"
    REFUSES = "refuses"
    """For good."""
    LATER = "later"
    """It is busy."""
    SILENT = "silent"
    """It takes, and closes the connection without an answer."""
    DEAF = "deaf"
    """It reads, takes nothing, and closes the connection without an answer."""
    LATE = "late"
    """It takes, and answers when it is let go."""


@dataclass
class Kept:
    """What was given to a double. Safe for threads."""

    honours_keys: bool = True
    manner: Manner = Manner.TAKES
    sent: list[Mapping[str, Any]] = field(default_factory=list)
    """What went on to a recipient, in order."""
    repeated: int = 0
    """Requests whose key was known and honoured."""
    asked: int = 0
    """Requests, whatever became of them."""
    let_go: Event = field(default_factory=Event)
    """Set, it lets the late ones answer."""
    _known: dict[tuple[str, str], int] = field(default_factory=dict)
    _changed: Condition = field(default_factory=Condition)

    def take(self, to: str, key: str, what: Mapping[str, Any]) -> int:
        """Send a text on, unless the key of that recipient is known and keys are honoured; returns its
        number, that of the first for a repeated one.
        """
        with self._changed:
            known = self._known.get((to, key))
            if known is not None and self.honours_keys:
                self.repeated += 1
                return known
            self.sent.append({"to": to, "key": key, **what})
            self._known[to, key] = len(self.sent)
            self._changed.notify_all()
            return len(self.sent)

    def request(self) -> Manner:
        """Count a request; returns how it is to be answered."""
        with self._changed:
            self.asked += 1
            self._changed.notify_all()
            return self.manner

    def has(self, key: str) -> bool:
        """Whether a text of that key was sent on."""
        with self._changed:
            return any(one["key"] == key for one in self.sent)

    def wait_asked(self, times: int, seconds: float) -> bool:
        """Wait until so many requests came."""
        with self._changed:
            return self._changed.wait_for(lambda: self.asked >= times, seconds)
