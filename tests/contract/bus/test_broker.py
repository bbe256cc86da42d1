"""The twin in memory and RabbitMQ keep the same promises to the relay and the router."""

from __future__ import annotations

import json
import urllib.request
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

import pika
import pytest
import pytest_asyncio

from bus.broker import BrokerUnavailableError, Consumer, Publisher, Ring
from bus.memory import MemoryBroker
from bus.relay.publisher import RabbitPublisher
from bus.router.consumer import RabbitConsumer
from bus.topology import DEAD_QUEUE, DELIVERY_LIMIT, INBOX_EXCHANGE, queue_name

COUNT = 3
ALL = [queue_name(number) for number in range(COUNT)]


@dataclass
class Broker:
    """One of the two, with a publisher and as many consumers as a test asks for."""

    publisher: Publisher
    consumer: Callable[[Sequence[str]], Consumer]


@pytest_asyncio.fixture(params=["memory", "rabbitmq"])
async def broker(request: pytest.FixtureRequest) -> AsyncIterator[Broker]:
    if request.param == "memory":
        memory = MemoryBroker(COUNT)
        yield Broker(memory.publisher(), memory.consumer)
        return
    url = request.getfixturevalue("amqp_url")
    publisher = await RabbitPublisher.connect(url, COUNT)
    opened: list[RabbitConsumer] = []

    def consumer(names: Sequence[str]) -> Consumer:
        opened.append(RabbitConsumer.connect(url, names, COUNT))
        return opened[-1]

    yield Broker(publisher, consumer)
    for each in opened:
        each.close()
    await publisher.close()


def take(consumer: Consumer, count: int) -> list[int]:
    """Receive exactly that many and acknowledge them."""
    ids: list[int] = []
    while len(ids) < count:
        deliveries = consumer.receive(count - len(ids), 10)
        assert deliveries, f"only {len(ids)} of {count} came"
        consumer.acknowledge(deliveries)
        ids += [delivery.id for delivery in deliveries]
    return ids


async def test_what_is_confirmed_is_delivered_once(broker: Broker) -> None:
    confirmed = await broker.publisher.publish([Ring(n, n * 7919) for n in range(1, 201)])
    consumer = broker.consumer(ALL)
    assert confirmed == frozenset(range(1, 201))
    assert sorted(take(consumer, 200)) == list(range(1, 201))
    assert consumer.receive(10, 0.2) == []


async def test_one_patients_doorbells_keep_their_order(broker: Broker) -> None:
    await broker.publisher.publish([Ring(n, -4242) for n in range(1, 101)])
    assert take(broker.consumer(ALL), 100) == list(range(1, 101))


async def test_patients_spread_over_the_queues(broker: Broker) -> None:
    await broker.publisher.publish([Ring(n, n * 7919) for n in range(1, 301)])
    shares = []
    for name in ALL:
        consumer = broker.consumer([name])
        shares.append(len(consumer.receive(300, 1)))
        consumer.close()
    assert all(share > 0 for share in shares)


async def test_what_was_not_acknowledged_comes_again(broker: Broker) -> None:
    await broker.publisher.publish([Ring(1, 5), Ring(2, 5)])
    first = broker.consumer(ALL)
    assert [d.id for d in first.receive(1, 10)] == [1]
    first.close()
    assert sorted(take(broker.consumer(ALL), 2)) == [1, 2]


async def test_only_one_consumer_of_a_queue_is_active(broker: Broker) -> None:
    first, second = broker.consumer(ALL), broker.consumer(ALL)
    await broker.publisher.publish([Ring(1, 5)])
    assert second.receive(1, 0.3) == []
    assert take(first, 1) == [1]
    first.close()
    await broker.publisher.publish([Ring(2, 5)])
    assert take(second, 1) == [2]


async def test_waiting_counts_what_lies_ready(broker: Broker) -> None:
    assert await broker.publisher.waiting() == 0
    await broker.publisher.publish([Ring(n, n) for n in range(1, 11)])
    assert await broker.publisher.waiting() == 10


async def test_an_empty_batch_is_confirmed_at_once(broker: Broker) -> None:
    assert await broker.publisher.publish([]) == frozenset()


async def test_the_twin_gives_up_what_kills_its_consumers() -> None:
    memory = MemoryBroker(1, delivery_limit=2)
    await memory.publisher().publish([Ring(9, 1)])
    for _ in range(3):
        consumer = memory.consumer([queue_name(0)])
        assert [d.dead for d in consumer.receive(1, 0)] == [False]
        consumer.close()
    assert [(d.id, d.dead) for d in memory.consumer([DEAD_QUEUE]).receive(1, 0)] == [(9, True)]


async def test_the_twin_that_is_down_says_so() -> None:
    memory = MemoryBroker(1)
    memory.down = True
    with pytest.raises(BrokerUnavailableError):
        await memory.publisher().publish([Ring(1, 1)])
    with pytest.raises(BrokerUnavailableError):
        memory.consumer([queue_name(0)]).receive(1, 1)


async def test_rabbitmq_returns_what_no_queue_takes(amqp_url: str) -> None:
    publisher = await RabbitPublisher.connect(amqp_url, 1)
    connection = pika.BlockingConnection(pika.URLParameters(amqp_url))
    connection.channel().queue_unbind(queue_name(0), INBOX_EXCHANGE, "1")
    assert await publisher.publish([Ring(1, 1)]) == frozenset()
    connection.close()
    await publisher.close()


async def test_rabbitmqs_queues_are_declared_in_full(amqp_url: str, amqp_server: tuple[str, str]) -> None:
    publisher = await RabbitPublisher.connect(amqp_url, 2)
    await publisher.close()
    arguments = queue_arguments(amqp_server[1], urlsplit(amqp_url).path[1:], queue_name(1))
    assert arguments == {
        "x-queue-type": "quorum",
        "x-single-active-consumer": True,
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-dead-letter-exchange": "yilian.dead",
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }


async def test_rabbitmqs_dead_letters_reach_their_consumer(amqp_url: str) -> None:
    publisher = await RabbitPublisher.connect(amqp_url, 1)
    await publisher.publish([Ring(7, 1)])
    connection = pika.BlockingConnection(pika.URLParameters(amqp_url))
    channel = connection.channel()
    method, _, _ = next(channel.consume(queue_name(0)))
    assert method.delivery_tag is not None
    channel.basic_reject(method.delivery_tag, requeue=False)
    consumer = RabbitConsumer.connect(amqp_url, [DEAD_QUEUE], 1)
    deliveries = consumer.receive(1, 10)
    assert [(d.id, d.dead) for d in deliveries] == [(7, True)]
    consumer.acknowledge(deliveries)
    consumer.close()
    connection.close()
    await publisher.close()


async def test_a_broker_out_of_reach_is_said_to_be() -> None:
    nowhere = "amqp://guest:guest@127.0.0.1:1/x"
    with pytest.raises(BrokerUnavailableError):
        await RabbitPublisher.connect(nowhere, 1)
    with pytest.raises(BrokerUnavailableError):
        RabbitConsumer.connect(nowhere, ALL, COUNT)


def queue_arguments(management: str, vhost: str, queue: str) -> dict[str, object]:
    """Ask RabbitMQ's management for the arguments of a queue."""
    parts = urlsplit(management)
    url = f"http://{parts.hostname}:{parts.port}/api/queues/{quote(vhost, safe='')}/{queue}"
    request = urllib.request.Request(url)
    token = b64encode(f"{parts.username}:{parts.password}".encode()).decode()
    request.add_header("Authorization", f"Basic {token}")
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - the broker of this run
        arguments: dict[str, object] = json.load(answer)["arguments"]
    return arguments
