"""Publishing doorbells to RabbitMQ: persistent, mandatory, every one confirmed, many in flight."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import pika
from opentelemetry.trace import SpanKind
from pika.adapters.asyncio_connection import AsyncioConnection
from pika.channel import Channel
from pika.exceptions import AMQPError
from pika.spec import Basic, BasicProperties

from bus import tracing
from bus.broker import BrokerUnavailableError, Ring
from bus.topology import EXCHANGES, INBOX_EXCHANGE, Queue, queue_name, queues

PERSISTENT = BasicProperties(delivery_mode=2)
CONNECT_SECONDS = 10.0
CONFIRM_SECONDS = 15.0
CLOSE_SECONDS = 5.0


class RabbitPublisher:
    """`bus.broker.Publisher` on RabbitMQ."""

    def __init__(self, connection: AsyncioConnection, channel: Channel, count: int) -> None:
        self._connection = connection
        self._channel = channel
        self._count = count
        self._sent = 0
        self._flying: dict[int, int] = {}
        """Delivery tag to message id, in the order sent."""
        self._confirmed: set[int] = set()
        self._returned: set[int] = set()
        self._landed = asyncio.Event()
        self._lost: BaseException | None = None
        connection.add_on_close_callback(self._closed)
        channel.add_on_close_callback(self._closed)
        channel.add_on_return_callback(self._came_back)

    @classmethod
    async def connect(cls, url: str, count: int) -> RabbitPublisher:
        """Connect, declare the topology of `count` queues and switch confirms on.

        Raises `BrokerUnavailableError`.
        """
        dial = _Dial(url)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                connection = await dial.opened
                channel = await _opened(connection.channel)
                publisher = cls(connection, channel, count)
                await publisher.declare()
                await publisher.call(channel.confirm_delivery, publisher._answered, takes_ack=True)
                return publisher
        except (TimeoutError, OSError, AMQPError, BrokerUnavailableError) as error:
            await _left(dial.connection)
            if isinstance(error, BrokerUnavailableError):
                raise
            raise BrokerUnavailableError(f"RabbitMQ cannot be reached: {type(error).__name__}") from error

    async def declare(self) -> None:
        """Declare exchanges, queues and bindings; what is there already stays."""
        channel = self._channel
        for exchange in EXCHANGES:
            await self.call(
                channel.exchange_declare,
                exchange=exchange.name,
                exchange_type=exchange.type,
                durable=True,
            )
        for queue in queues(self._count):
            await self._declare_queue(queue)

    async def publish(self, rings: Sequence[Ring]) -> frozenset[int]:
        """Publish and wait for every confirm; see `bus.broker.Publisher`."""
        self._check()
        self._confirmed, self._returned = set(), set()
        self._landed.clear()
        began, spans = time.time_ns(), {r.id: tracing.fresh() for r in rings if tracing.wants(r.id)}
        for ring in rings:
            self._sent += 1
            self._flying[self._sent] = ring.id
            body, told = str(ring.id).encode(), _properties(ring.id, spans.get(ring.id))
            self._channel.basic_publish(INBOX_EXCHANGE, str(ring.key), body, told, mandatory=True)
        if self._flying:
            await self._wait()
        confirmed = frozenset(self._confirmed - self._returned)
        _trace(began, {id_: span for id_, span in spans.items() if id_ in confirmed})
        return confirmed

    async def waiting(self) -> int:
        """Return how many doorbells lie ready in the queues."""
        self._check()
        ready = 0
        for number in range(self._count):
            answer = await self.call(self._channel.queue_declare, queue=queue_name(number), passive=True)
            ready += answer.method.message_count
        return ready

    async def close(self) -> None:
        """Leave the broker; returns when the socket is closed."""
        await _left(self._connection)

    async def call(
        self, method: Callable[..., Any], *args: Any, takes_ack: bool = False, **kwargs: Any
    ) -> Any:
        """Call a method of the channel and return the broker's answer. Raises `BrokerUnavailableError`."""
        self._check()
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def answered(frame: Any) -> None:
            if not answer.done():
                answer.set_result(frame)

        if takes_ack:
            method(ack_nack_callback=args[0], callback=answered)
        else:
            method(*args, callback=answered, **kwargs)
        while not answer.done():
            await asyncio.wait({answer}, timeout=0.1)
            self._check()
        return answer.result()

    async def _declare_queue(self, queue: Queue) -> None:
        await self.call(
            self._channel.queue_declare, queue=queue.name, durable=True, arguments=dict(queue.arguments)
        )
        await self.call(
            self._channel.queue_bind, queue=queue.name, exchange=queue.exchange, routing_key=queue.routing_key
        )

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(CONFIRM_SECONDS):
                await self._landed.wait()
        except TimeoutError as error:
            # Late confirms would be taken for those of the next batch: begin anew on another connection.
            await self.close()
            raise BrokerUnavailableError("RabbitMQ did not confirm in time") from error
        self._check()

    def _answered(self, frame: Any) -> None:
        tag, multiple = frame.method.delivery_tag, frame.method.multiple
        tags = [t for t in self._flying if t <= tag] if multiple else [tag]
        for each in tags:
            message_id = self._flying.pop(each, None)
            if message_id is not None and isinstance(frame.method, Basic.Ack):
                self._confirmed.add(message_id)
        if not self._flying:
            self._landed.set()

    def _came_back(self, _channel: Channel, _method: Any, _properties: Any, body: bytes) -> None:
        # A mandatory message without a queue is returned first and confirmed afterwards.
        self._returned.add(int(body))

    def _closed(self, _object: Any, reason: BaseException) -> None:
        self._lost = reason
        self._landed.set()

    def _check(self) -> None:
        if self._lost is not None or not self._channel.is_open:
            raise BrokerUnavailableError(f"RabbitMQ went away: {type(self._lost).__name__}")


def _properties(message_id: int, span: int | None) -> BasicProperties:
    """Return the properties of a doorbell: with the trace where it is traced."""
    if span is None:
        return PERSISTENT
    return BasicProperties(delivery_mode=2, headers=tracing.headers(message_id, span))


def _trace(began: int, spans: Mapping[int, int]) -> None:
    """Record that these were published and confirmed."""
    ended = time.time_ns()
    for id_, span in spans.items():
        before, about = tracing.span_id(id_, tracing.COMMIT), tracing.about(id_, batch=len(spans))
        about["messaging.system"] = "rabbitmq"
        step = tracing.Step(tracing.PUBLISH, id_, began, ended, span, before, SpanKind.PRODUCER, about)
        tracing.record(step)


class _Dial:
    """A connection on its way; `opened` is done when the broker has let us in, or has not."""

    def __init__(self, url: str) -> None:
        self.opened: asyncio.Future[AsyncioConnection] = asyncio.get_running_loop().create_future()
        parameters = pika.URLParameters(url)
        parameters.heartbeat = 30
        self.connection = AsyncioConnection(
            parameters, on_open_callback=self._open, on_open_error_callback=self._failed
        )

    def _open(self, connection: AsyncioConnection) -> None:
        if not self.opened.done():
            self.opened.set_result(connection)

    def _failed(self, _connection: Any, error: BaseException | str) -> None:
        if not self.opened.done():
            self.opened.set_exception(
                BrokerUnavailableError(f"RabbitMQ cannot be reached: {type(error).__name__}")
            )


async def _left(connection: AsyncioConnection) -> None:
    """Close and wait until it is: a loop that ends before the broker's answer leaves the socket open."""
    if connection.is_closed:
        return
    gone = asyncio.Event()
    connection.add_on_close_callback(lambda _connection, _reason: gone.set())
    connection.add_on_open_error_callback(lambda _connection, _error: gone.set())
    if not connection.is_closing:
        connection.close()
    with suppress(TimeoutError):
        async with asyncio.timeout(CLOSE_SECONDS):
            await gone.wait()


async def _opened(channel: Callable[..., Any]) -> Channel:
    done: asyncio.Future[Channel] = asyncio.get_running_loop().create_future()
    channel(on_open_callback=done.set_result)
    return await done
