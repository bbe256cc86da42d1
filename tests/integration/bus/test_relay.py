"""The relay on a real PostgreSQL, with the twin of the broker that can be struck down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import psycopg

from bus.broker import Publisher
from bus.memory import MemoryBroker
from bus.relay.relay import Pace, Relay
from bus.topology import queue_name
from tests.integration.bus.clinic import hl7, rows, steps, store

CUT = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE application_name = 'relay' AND datname = current_database()"
)
PACE = Pace(idle=0.01, sweep=0.05, republish=60, standby=0.02, longest_backoff=0.05)


@asynccontextmanager
async def relaying(url: str, broker: MemoryBroker, pace: Pace = PACE) -> AsyncIterator[Relay]:
    async def connect() -> Publisher:
        broker.check()
        return broker.publisher()

    relay = Relay(url, connect, pace)
    task = asyncio.create_task(relay.run())
    try:
        yield relay
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - the condition is another process's table
            await asyncio.sleep(0.01)


def letters(broker: MemoryBroker) -> list[int]:
    return sorted(letter.id for n in range(broker.count) for letter in broker.queues[queue_name(n)].letters)


def unpublished(url: str) -> int:
    [(count,)] = rows(url, "SELECT count(*) FROM bus.work WHERE published_at IS NULL AND state = 0")
    return int(count)


async def test_ready_messages_ring_once(database_url: str) -> None:
    broker = MemoryBroker(4)
    ids = store(database_url, *(hl7("ADT^A28", f"M{n}") for n in range(50)))
    async with relaying(database_url, broker):
        await until(lambda: unpublished(database_url) == 0)
        ids += store(database_url, hl7("ADT^A28", "M99"))
        await until(lambda: unpublished(database_url) == 0)
    assert letters(broker) == ids
    assert steps(database_url, ids[0]) == ["published"]


async def test_held_and_put_off_messages_do_not_ring(database_url: str) -> None:
    broker = MemoryBroker(1)
    held, later, due = store(database_url, *(hl7("ADT^A28", f"M{n}") for n in range(3)))
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE bus.work SET state = 1 WHERE id = %s", (held,))
        connection.execute(
            "UPDATE bus.work SET not_before = now() + interval '1 hour' WHERE id = %s", (later,)
        )
    async with relaying(database_url, broker):
        await until(lambda: letters(broker) == [due])
        with psycopg.connect(database_url) as connection:
            connection.execute("UPDATE bus.work SET not_before = now() WHERE id = %s", (later,))
        await until(lambda: letters(broker) == [later, due])
    assert held not in letters(broker)


async def test_a_broker_that_goes_away_is_awaited(database_url: str) -> None:
    broker = MemoryBroker(1)
    broker.down = True
    ids = store(database_url, hl7("ADT^A28"))
    async with relaying(database_url, broker) as relay:
        await until(lambda: relay.leading)
        assert unpublished(database_url) == 1
        broker.down = False
        await until(lambda: unpublished(database_url) == 0)
    assert letters(broker) == ids


async def test_a_database_that_cuts_the_connection_is_found_again(database_url: str) -> None:
    broker = MemoryBroker(1)
    async with relaying(database_url, broker) as relay:
        await until(lambda: relay.leading)
        rows(
            database_url,
            CUT,
        )
        ids = store(database_url, hl7("ADT^A28"))
        await until(lambda: letters(broker) == ids)


async def test_of_two_relays_one_stands_by_and_takes_over(database_url: str) -> None:
    broker = MemoryBroker(1)
    async with relaying(database_url, broker) as second_to_be:
        await until(lambda: second_to_be.leading)
        async with relaying(database_url, broker) as other:
            ids = store(database_url, *(hl7("ADT^A28", f"M{n}") for n in range(20)))
            await until(lambda: unpublished(database_url) == 0)
            assert not other.leading
    assert letters(broker) == ids
    async with relaying(database_url, broker) as successor:
        await until(lambda: successor.leading)


async def test_a_broker_that_lost_its_disk_rings_again(database_url: str) -> None:
    broker = MemoryBroker(1)
    pace = replace(PACE, republish=0.2)
    ids = store(database_url, hl7("ADT^A28"))
    async with relaying(database_url, broker, pace):
        await until(lambda: letters(broker) == ids)
        broker.queues[queue_name(0)].letters.clear()
        await until(lambda: letters(broker) == ids)


async def test_what_lies_in_a_queue_is_not_rung_again(database_url: str) -> None:
    broker = MemoryBroker(1)
    ids = store(database_url, hl7("ADT^A28"))
    async with relaying(database_url, broker, replace(PACE, republish=0.1)):
        await until(lambda: unpublished(database_url) == 0)
        rows(database_url, "SELECT pg_sleep(0.5)")
        more = store(database_url, hl7("ADT^A28", "M2"))
        await until(lambda: len(letters(broker)) == 2)
    assert letters(broker) == ids + more


async def test_a_broker_without_queues_is_not_taken_for_success(database_url: str) -> None:
    store(database_url, hl7("ADT^A28"))
    async with relaying(database_url, MemoryBroker(0)) as relay:
        await until(lambda: relay.leading)
        rows(database_url, "SELECT pg_sleep(0.2)")
    assert unpublished(database_url) == 1
    assert relay.published == 0
