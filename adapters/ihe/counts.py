"""Counts what became of content that was sent to the IHE doors: what their process shows in its heartbeat."""

from __future__ import annotations

import enum
from dataclasses import asdict, dataclass

from adapters.ihe.faults import Blame, Fault

_NOBODY = frozenset({"unauthenticated", "locked_out", "forbidden"})
"""Faults of who may not send: those are counted and audited where people sign in."""


class Fate(enum.StrEnum):
    """What became of one message."""

    ACCEPTED = "accepted"
    """Committed."""
    REFUSED = "refused"
    UNAVAILABLE = "unavailable"
    """Not stored, and its sender was told to send it again."""


@dataclass(slots=True)
class Counts:
    """Messages since the start of the process; questions are none."""

    accepted: int = 0
    refused: int = 0
    unavailable: int = 0

    def detail(self) -> dict[str, int]:
        """Return the counts by name."""
        return asdict(self)

    def note(self, fate: Fate) -> None:
        """Count one message."""
        setattr(self, fate.value, getattr(self, fate.value) + 1)

    def faulted(self, fault: Fault) -> None:
        """Count one that was answered by a fault."""
        if fault.code not in _NOBODY:
            self.note(Fate.UNAVAILABLE if fault.blame is Blame.RECEIVER else Fate.REFUSED)
