"""A message held for an unknown code, on real PostgreSQL and RabbitMQ, from the relay to the record."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from bus.codes.mapping import map_code
from bus.relay.publisher import RabbitPublisher
from bus.relay.relay import Pace, Relay
from bus.router.consumer import RabbitConsumer
from bus.router.effects import Services
from bus.router.loop import Loop
from bus.router.router import Router
from bus.rules.ruleset import RuleSet
from bus.topology import DEAD_QUEUE, queue_name
from consortium.terminology.maps import Mapping
from runtime.settings import CHECKOUT
from tests.integration.bus.clinic import engine_of, hl7, lab, rows, states, steps, store
from tests.integration.bus.test_relay import until

QUEUES = 2
RULES = CHECKOUT / "rules"


@asynccontextmanager
async def running(database_url: str, amqp_url: str) -> AsyncIterator[None]:
    """Relay and router as their processes run them."""
    relay = Relay(
        database_url, lambda: RabbitPublisher.connect(amqp_url, QUEUES), Pace(idle=0.01, sweep=0.05)
    )
    names = [*map(queue_name, range(QUEUES)), DEAD_QUEUE]
    engine, stop = engine_of(database_url), threading.Event()
    router = Router(engine, RuleSet.load(RULES), Services())
    loop = Loop(lambda: RabbitConsumer.connect(amqp_url, names, QUEUES), engine, router, 100, stop)
    thread, task = threading.Thread(target=loop.run), asyncio.create_task(relay.run())
    thread.start()
    try:
        yield
    finally:
        stop.set()
        await asyncio.to_thread(thread.join, 20)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_mapping_a_code_records_what_waited_for_it_and_what_waited_behind_it(
    database_url: str, amqp_url: str
) -> None:
    patients = [f"M{number}" for number in range(12)]
    bad = store(database_url, *(hl7("ADT^A28", one, sex="X") for one in patients))
    behind = store(
        database_url,
        *(hl7("ADT^A04", one, visit=f"V-{one}") for one in patients),
        *(lab(one, number=f"R-{one}") for one in patients),
    )
    [unlike] = store(database_url, hl7("ADT^A28", "N1", sex="Q"))
    waiting = {**dict.fromkeys(bad, 1), **dict.fromkeys(behind, 2), unlike: 1}
    async with running(database_url, amqp_url):
        await until(lambda: states(database_url) == waiting)
        wanted = Mapping("sex", "MAIN", "X", "unknown", None, None)
        engine = engine_of(database_url)
        done = await asyncio.to_thread(map_code, engine, RULES, ["MAIN"], wanted, by="chen", why="字典第3版")
        assert done.released == bad
        await until(lambda: states(database_url) == {unlike: 1})
        later = store(database_url, hl7("ADT^A28", "L1", sex="X"))
        await until(lambda: states(database_url) == {unlike: 1})
    for message in bad:
        assert steps(database_url, message).count("held") == 1
    for message in (*bad, *behind, *later):
        assert steps(database_url, message).count("recorded") == 1
    order = (
        "SELECT count(*) FROM bus.trace first JOIN bus.inbox i ON i.id = first.message_id"
        " JOIN bus.inbox j ON j.patient_number = i.patient_number AND j.id > i.id"
        " JOIN bus.trace second ON second.message_id = j.id"
        " WHERE first.step = 'recorded' AND second.step = 'recorded' AND second.at < first.at"
    )
    assert rows(database_url, order) == [(0,)]
