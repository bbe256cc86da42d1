"""What a way of telling people of alerts offers. It tells names, codes and counts, no patient's data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bus.alerts.store import Alert

PATIENCE = 10.0
"""Seconds for one delivery."""


@dataclass(frozen=True, slots=True)
class Notice:
    """That an alert was raised or cleared."""

    id: int
    event: str
    """raised or cleared."""
    alert: Alert

    @property
    def about(self) -> str:
        """Its name and subject: `silence HY`."""
        return f"{self.alert.name} {self.alert.subject}".strip()


class Channel(Protocol):
    """One way."""

    @property
    def pause(self) -> float:
        """Least seconds between two messages; what comes meanwhile goes together with the next."""
        ...

    @property
    def most(self) -> int:
        """Notices in one message at most."""
        ...

    def tell(self, notices: Sequence[Notice]) -> None:
        """Send one message about these, the oldest first; the same again may reach people twice.

        Raises OSError (HTTP's and SMTP's errors are ones) when nobody was told.
        """
        ...
