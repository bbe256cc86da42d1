"""The router's loop: doorbells answered and acknowledged, though broker and database die meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from bus.broker import Consumer, Ring
from bus.memory import MemoryBroker
from bus.router.effects import Services
from bus.router.loop import Loop
from bus.router.router import Router
from bus.rules.ruleset import RuleSet
from bus.topology import DEAD_QUEUE, queue_name
from runtime.settings import CHECKOUT
from tests.integration.bus.clinic import engine_of, hl7, rows, states, store

CUT = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


@contextmanager
def routing(url: str, broker: MemoryBroker) -> Iterator[None]:
    def connect() -> Consumer:
        broker.check()
        return broker.consumer([queue_name(0), DEAD_QUEUE])

    engine = engine_of(url)
    stop = threading.Event()
    router = Router(engine, RuleSet.load(CHECKOUT / "rules"), Services())
    thread = threading.Thread(target=Loop(connect, engine, router, 100, stop).run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=20)
        engine.dispose()
    assert not thread.is_alive()


def until(condition: Callable[[], bool]) -> None:
    deadline = monotonic() + 30
    tick = threading.Event()
    while not condition():
        assert monotonic() < deadline, "it did not happen within 30 s"
        tick.wait(0.02)


async def test_doorbells_are_answered_and_acknowledged(database_url: str) -> None:
    broker = MemoryBroker(1)
    ids = store(database_url, *(hl7("ADT^A28", f"M{n}") for n in range(20)))
    await broker.publisher().publish([Ring(each, 0) for each in ids])
    with routing(database_url, broker):
        until(lambda: states(database_url) == {})
    assert not broker.queues[queue_name(0)].letters


async def test_a_broker_that_went_away_is_found_again(database_url: str) -> None:
    broker = MemoryBroker(1)
    with routing(database_url, broker):
        broker.down = True
        with broker.arrived:
            broker.arrived.notify_all()
        ids = store(database_url, hl7("ADT^A28"))
        broker.down = False
        await broker.publisher().publish([Ring(ids[0], 0)])
        until(lambda: states(database_url) == {})


async def test_a_database_that_cut_its_connections_is_found_again(database_url: str) -> None:
    broker = MemoryBroker(1)
    ids = store(database_url, *(hl7("ADT^A28", f"M{n}") for n in range(40)))
    with routing(database_url, broker):
        for each in ids:
            await broker.publisher().publish([Ring(each, 0)])
            if each % 10 == 0:
                rows(database_url, CUT)
        until(lambda: states(database_url) == {})
    recorded = rows(database_url, "SELECT count(*) FROM bus.trace WHERE step = 'recorded'")
    assert recorded == [(40,)]


async def test_a_dead_letter_becomes_a_held_message(database_url: str) -> None:
    broker = MemoryBroker(1, delivery_limit=0)
    ids = store(database_url, hl7("ADT^A28"))
    await broker.publisher().publish([Ring(ids[0], 0)])
    killed = broker.consumer([queue_name(0)])
    killed.receive(1, 0)
    killed.close()
    with routing(database_url, broker):
        until(lambda: states(database_url) == {ids[0]: 1})
    assert rows(database_url, "SELECT code FROM bus.held") == [("dead_lettered",)]
