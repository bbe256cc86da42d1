"""What a channel's port offers to the sender. It says of an attempt what `bus.delivery.transport` says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from bus.delivery.transport import Answer, Found

PATIENCE = 6.0
"""Seconds for one answer; a process ends within ten."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One text to one person, as it goes out. It is never stored, nor logged."""

    key: str
    """Idempotency key: the same in every attempt, and no other text's."""
    address: str
    """Telephone number, mailbox, openid."""
    parts: Mapping[str, str]
    form: str = ""
    """Name of the provider's template, where the channel has such."""
    link: str = ""

    def __repr__(self) -> str:
        """Leave out what a log must not have."""
        return f"Outgoing({self.key})"


@dataclass(frozen=True, slots=True)
class Answered:
    """The port's answer."""

    answer: Answer
    reference: str | None = None
    """Its own number of the text, where it gives one."""


class Port(Protocol):
    """The way out of one channel. Safe for threads."""

    @property
    def keys_seconds(self) -> float:
        """How long a repeated key is taken once alone; 0: the other side knows no keys."""
        ...

    def send(self, message: Outgoing) -> Answered:
        """Hand one text over. Raises NotSentError, UnansweredError, UnsendableError."""
        ...

    def close(self) -> None:
        """Let connections go."""
        ...


@runtime_checkable
class Asking(Protocol):
    """A port that can be asked whether it has a text."""

    @property
    def asks(self) -> bool:
        """Whether it can be asked as it is set."""
        ...

    def arrived(self, key: str, reference: str | None) -> Found:
        """Ask, and change nothing there. Raises YilianError where it cannot be asked."""
        ...
