"""Exchanges and queues on RabbitMQ, declared in full: the defaults of 3.10 and 4.x differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

INBOX_EXCHANGE: Final = "yilian.inbox"
DEAD_EXCHANGE: Final = "yilian.dead"
DEAD_QUEUE: Final = "yilian.dead"
DELIVERY_LIMIT: Final = 1000
"""A high backstop: failures are parked in PostgreSQL, and a consumer's death counts against healthy
neighbours too."""
INBOX_ARGUMENTS: Final[Mapping[str, Any]] = {
    "x-queue-type": "quorum",
    "x-single-active-consumer": True,
    "x-delivery-limit": DELIVERY_LIMIT,
    "x-dead-letter-exchange": DEAD_EXCHANGE,
    "x-dead-letter-strategy": "at-least-once",
    "x-overflow": "reject-publish",  # at-least-once dead-lettering needs it
}
DEAD_ARGUMENTS: Final[Mapping[str, Any]] = {"x-queue-type": "quorum"}


@dataclass(frozen=True, slots=True)
class Exchange:
    """A durable exchange."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Queue:
    """A durable queue, bound to one exchange."""

    name: str
    arguments: Mapping[str, Any]
    exchange: str
    routing_key: str


EXCHANGES: Final = (Exchange(INBOX_EXCHANGE, "x-consistent-hash"), Exchange(DEAD_EXCHANGE, "fanout"))


def queue_name(number: int) -> str:
    """Return the name of a partition's queue."""
    return f"{INBOX_EXCHANGE}.{number}"


def queues(count: int) -> Iterator[Queue]:
    """Give the dead letter queue first, so that nothing can die before it is there, then the partitions."""
    yield Queue(DEAD_QUEUE, DEAD_ARGUMENTS, DEAD_EXCHANGE, "")
    for number in range(count):
        # The routing key of a binding to a consistent hash exchange is the queue's weight.
        yield Queue(queue_name(number), INBOX_ARGUMENTS, INBOX_EXCHANGE, "1")
