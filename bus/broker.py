"""What the relay and the router ask of a message broker.

A message on the broker is a doorbell: the inbox id and no patient data. RabbitMQ (`bus.relay.publisher`,
`bus.router.consumer`) and the twin in memory (`bus.memory`) pass the same contract tests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from consortium.errors import RetryableError


class BrokerUnavailableError(RetryableError):
    """The broker cannot be reached, or went away in the middle; what was not confirmed must be sent again."""


@dataclass(frozen=True, slots=True)
class Ring:
    """One doorbell: the message that waits, and the partition key of its patient."""

    id: int
    key: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """One doorbell as it is delivered."""

    id: int
    tag: int
    """The consumer's own number for it, to acknowledge by."""
    dead: bool = False
    """Whether it comes from the dead letter queue."""
    headers: Mapping[str, object] | None = None
    """What its publisher sent along: the trace."""


class Publisher(Protocol):
    """The relay's side. Not shared between tasks."""

    async def publish(self, rings: Sequence[Ring]) -> frozenset[int]:
        """Publish and wait; return the ids that the broker has confirmed in a queue.

        Those returned as unroutable, refused or not confirmed in time are missing. Raises
        `BrokerUnavailableError`.
        """
        ...

    async def waiting(self) -> int:
        """Return how many doorbells lie ready in the queues. Raises `BrokerUnavailableError`."""
        ...

    async def close(self) -> None:
        """Leave the broker."""
        ...


class Consumer(Protocol):
    """The router's side. Not shared between threads."""

    def receive(self, limit: int, wait: float) -> Sequence[Delivery]:
        """Return up to `limit` doorbells, waiting up to `wait` seconds for the first.

        Raises `BrokerUnavailableError`; what was delivered and not acknowledged comes again.
        """
        ...

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Tell the broker that these are done. Raises `BrokerUnavailableError`."""
        ...

    def close(self) -> None:
        """Leave the broker; what was not acknowledged goes back."""
        ...
