"""Consuming doorbells from RabbitMQ, a batch at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel, BlockingConnection
from pika.exceptions import AMQPError

from bus.broker import BrokerUnavailableError, Delivery
from bus.topology import DEAD_QUEUE, EXCHANGES, queues

PREFETCH = 256
"""Unacknowledged doorbells of one consumer on one queue."""


class RabbitConsumer:
    """`bus.broker.Consumer` on RabbitMQ."""

    def __init__(self, connection: BlockingConnection, channel: BlockingChannel) -> None:
        self._connection = connection
        self._channel = channel
        self._ready: deque[Delivery] = deque()
        self._cancelled = False
        channel.add_on_cancel_callback(self._on_cancel)

    @classmethod
    def connect(cls, url: str, names: Sequence[str], count: int, prefetch: int = PREFETCH) -> RabbitConsumer:
        """Connect, declare the topology of `count` queues and consume those named.

        Raises `BrokerUnavailableError`.
        """
        parameters = pika.URLParameters(url)
        parameters.heartbeat = 60
        parameters.blocked_connection_timeout = 60
        with _saying("cannot be reached"):
            connection = BlockingConnection(parameters)
        try:
            with _saying("cannot be reached"):
                channel = connection.channel()
                declare(channel, count)
                channel.basic_qos(prefetch_count=prefetch)
                consumer = cls(connection, channel)
                for name in names:
                    consumer.consume(name)
        except BrokerUnavailableError:
            _leave(connection)
            raise
        return consumer

    def consume(self, name: str) -> None:
        """Take what comes in a queue too."""
        dead = name == DEAD_QUEUE

        def deliver(_channel: Any, method: Any, properties: Any, body: bytes) -> None:
            self._ready.append(Delivery(int(body), method.delivery_tag, dead, properties.headers))

        self._channel.basic_consume(name, deliver)

    def receive(self, limit: int, wait: float) -> Sequence[Delivery]:
        """Return up to `limit` doorbells; see `bus.broker.Consumer`."""
        deadline = monotonic() + wait
        with _saying("went away"):
            self._connection.process_data_events(time_limit=0)
            while not self._ready and (left := deadline - monotonic()) > 0:
                self._check()
                self._connection.process_data_events(time_limit=left)
            self._check()
        return [self._ready.popleft() for _ in range(min(limit, len(self._ready)))]

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Acknowledge these. Tags are handed out in order, so all up to the last are done."""
        if not deliveries:
            return
        with _saying("went away"):
            self._channel.basic_ack(deliveries[-1].tag, multiple=True)

    def close(self) -> None:
        """Leave the broker; what was not acknowledged goes back."""
        _leave(self._connection)

    def _on_cancel(self, _frame: Any) -> None:
        self._cancelled = True

    def _check(self) -> None:
        if self._cancelled:
            raise BrokerUnavailableError(
                "RabbitMQ cancelled the consumer: a queue was deleted or failed over"
            )


@contextmanager
def _saying(what: str) -> Iterator[None]:
    """Turn the client library's errors into `BrokerUnavailableError`."""
    try:
        yield
    except (AMQPError, OSError) as error:
        raise BrokerUnavailableError(f"RabbitMQ {what}: {type(error).__name__}") from error


def _leave(connection: BlockingConnection) -> None:
    # One that is gone already is what was wanted; the broker puts back what was not acknowledged.
    with suppress(AMQPError, OSError):
        if connection.is_open:
            connection.close()


def declare(channel: BlockingChannel, count: int) -> None:
    """Declare exchanges, queues and bindings; what is there already stays."""
    for exchange in EXCHANGES:
        channel.exchange_declare(exchange.name, exchange.type, durable=True)
    for queue in queues(count):
        channel.queue_declare(queue.name, durable=True, arguments=dict(queue.arguments))
        channel.queue_bind(queue.name, queue.exchange, queue.routing_key)
