"""A broker in memory, the twin of RabbitMQ for tests: partitions, single active consumer, redelivery, dead
letters.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from bus.broker import BrokerUnavailableError, Delivery, Ring
from bus.topology import DEAD_QUEUE, DELIVERY_LIMIT, queue_name


@dataclass(slots=True)
class _Letter:
    id: int
    deliveries: int = 0


@dataclass(slots=True)
class _Queue:
    letters: deque[_Letter] = field(default_factory=deque)
    consumers: list[MemoryConsumer] = field(default_factory=list)


class MemoryBroker:
    """Queues in this process. `down` makes it unreachable, as a broker that was killed."""

    def __init__(self, count: int, *, delivery_limit: int = DELIVERY_LIMIT) -> None:
        self.count = count
        self.delivery_limit = delivery_limit
        self.down = False
        self.arrived = threading.Condition()
        self.queues = {name: _Queue() for name in (DEAD_QUEUE, *map(queue_name, range(count)))}

    def publisher(self) -> MemoryPublisher:
        """Return a new publisher."""
        return MemoryPublisher(self)

    def consumer(self, names: Sequence[str]) -> MemoryConsumer:
        """Return a new consumer of these queues."""
        return MemoryConsumer(self, names)

    def check(self) -> None:
        """Raise `BrokerUnavailableError` when the broker is down."""
        if self.down:
            raise BrokerUnavailableError("the broker is down")


class MemoryPublisher:
    """`bus.broker.Publisher` on a `MemoryBroker`."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker

    async def publish(self, rings: Sequence[Ring]) -> frozenset[int]:
        """Put each ring into the queue of its key; those without a queue are not confirmed."""
        self._broker.check()
        if self._broker.count == 0:
            return frozenset()
        with self._broker.arrived:
            for ring in rings:
                name = queue_name(ring.key % self._broker.count)
                self._broker.queues[name].letters.append(_Letter(ring.id))
            self._broker.arrived.notify_all()
        return frozenset(ring.id for ring in rings)

    async def waiting(self) -> int:
        """Return how many doorbells lie ready."""
        self._broker.check()
        return sum(len(queue.letters) for name, queue in self._broker.queues.items() if name != DEAD_QUEUE)

    async def close(self) -> None:
        """Nothing to leave."""


class MemoryConsumer:
    """`bus.broker.Consumer` on a `MemoryBroker`."""

    def __init__(self, broker: MemoryBroker, names: Sequence[str]) -> None:
        self._broker = broker
        self._names = tuple(names)
        self._open: dict[int, tuple[str, _Letter]] = {}
        self._tags = 0
        for name in names:
            broker.queues[name].consumers.append(self)

    def receive(self, limit: int, wait: float) -> Sequence[Delivery]:
        """Return what lies ready in the queues in which this consumer is the active one."""
        with self._broker.arrived:
            self._broker.check()
            self._broker.arrived.wait_for(lambda: self._broker.down or self._ready(), timeout=wait)
            self._broker.check()
            return self._take(limit)

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Forget these."""
        self._broker.check()
        for delivery in deliveries:
            self._open.pop(delivery.tag, None)

    def close(self) -> None:
        """Put what was not acknowledged back, or among the dead; the next consumer becomes active."""
        with self._broker.arrived:
            for name, letter in reversed(self._open.values()):
                worn_out = name != DEAD_QUEUE and letter.deliveries > self._broker.delivery_limit
                if worn_out:
                    self._broker.queues[DEAD_QUEUE].letters.append(letter)
                else:
                    self._broker.queues[name].letters.appendleft(letter)
            self._open.clear()
            for name in self._names:
                consumers = self._broker.queues[name].consumers
                if self in consumers:
                    consumers.remove(self)
            self._broker.arrived.notify_all()

    def _active(self) -> list[str]:
        return [name for name in self._names if self._broker.queues[name].consumers[0] is self]

    def _ready(self) -> bool:
        return any(self._broker.queues[name].letters for name in self._active())

    def _take(self, limit: int) -> list[Delivery]:
        taken: list[Delivery] = []
        for name in self._active():
            letters = self._broker.queues[name].letters
            while letters and len(taken) < limit:
                letter = letters.popleft()
                letter.deliveries += 1
                self._tags += 1
                self._open[self._tags] = (name, letter)
                taken.append(Delivery(letter.id, self._tags, dead=name == DEAD_QUEUE))
        return taken
