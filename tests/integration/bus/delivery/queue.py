"""Queueing messages for the tests of delivery, and looking at what became of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from adapters.mllp.outbound import MllpTransport
from bus.delivery.line import Line
from bus.delivery.queue import Queued, write
from bus.delivery.transport import Transport
from bus.envelope import Arrival
from bus.rules.destinations import AnyDestination, MllpDestination
from bus.rules.spec import Form
from tests.integration.bus.clinic import engine_of, hl7, rows, store

BREAKER = {"failures": 3, "open_seconds": 0.2, "longest_seconds": 0.4}
RETRY = {"first_seconds": 0.05, "longest_seconds": 0.2}


def mllp(port: int, name: str = "ward", **more: Any) -> MllpDestination:
    """Return a destination with short times."""
    values: dict[str, Any] = {"retry": RETRY, "breaker": BREAKER, "timeout_seconds": 5.0, **more}
    return MllpDestination(
        name=name,
        description="a ward of the test",
        facility="HP",
        kind="mllp",
        address=f"127.0.0.1:{port}",
        **values,
    )


def enqueue(url: str, destination: str, arrivals: Sequence[Arrival], keys: Sequence[int]) -> list[int]:
    """Queue messages, each with its patient's key, as the router does; returns their delivery ids."""
    ids = store(url, *arrivals)
    engine = engine_of(url)
    with engine.begin() as connection:
        write(
            connection,
            [Queued(destination, id_, [key], Form.RAW, None) for id_, key in zip(ids, keys, strict=True)],
        )
    return [
        found
        for (found,) in rows(
            url, "SELECT id FROM bus.delivery WHERE message_id = ANY(%s) AND destination = %s ORDER BY id",
            ids, destination,
        )
    ]  # fmt: skip


def messages(count: int, patients: int = 1, start: int = 1) -> tuple[list[Arrival], list[int]]:
    """Return arrivals P1-1, P2-1, P1-2 …, and their patients' keys."""
    found = [(n % patients + 1, n // patients + start) for n in range(count)]
    arrivals = [hl7("ADT^A08", f"M{p}", control_id=f"P{p}-{number}") for p, number in found]
    return arrivals, [p for p, _ in found]


def states(url: str, destination: str = "ward") -> list[str]:
    """Return the states of a destination's deliveries, in order."""
    query = "SELECT state FROM bus.delivery WHERE destination = %s ORDER BY id"
    return [state for (state,) in rows(url, query, destination)]


async def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - the condition may be a row, which sets no event
            await asyncio.sleep(0.02)


@asynccontextmanager
async def delivering(
    url: str, spec: AnyDestination, transport: Transport | None = None
) -> AsyncIterator[Line]:
    """Run the line of a destination, over MLLP unless another transport is given."""
    if transport is None:
        assert isinstance(spec, MllpDestination)
        transport = MllpTransport(spec)
    line = Line(spec, transport, url, chance=lambda: 0.5)
    task = asyncio.create_task(line.run())
    try:
        yield line
    finally:
        line.stop()
        async with asyncio.timeout(15):
            await task
