"""The processes as they are deployed: one message's spans, of four processes, are one tree."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from adapters.mllp.framing import framed
from bus import tracing
from bus.envelope import Arrival
from runtime import ports
from runtime.settings import CHECKOUT
from tests.integration.bus.clinic import hl7, rows
from tests.integration.bus.collector import Got, collecting
from tests.integration.bus.delivery.queue import until
from tests.integration.bus.delivery.receivers import MllpReceiver
from tests.integration.bus.delivery.rulebook import rulebook

MODULES = ("bus.router", "bus.relay", "bus.delivery", "adapters.mllp")


@asynccontextmanager
async def process(module: str, environment: dict[str, str], home: Path) -> AsyncIterator[None]:
    """A process of the platform, ended by SIGTERM within its ten seconds."""
    with (home / f"{module}.log").open("ab") as out:
        running = await asyncio.create_subprocess_exec(
            sys.executable, "-m", module, cwd=CHECKOUT, env={**os.environ, **environment}, stderr=out
        )
    try:
        yield
    finally:
        assert running.returncode is None, (home / f"{module}.log").read_text()
        running.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            assert await running.wait() == 0


@asynccontextmanager
async def platform(
    url: str, amqp: str, home: Path, endpoint: str, ward: MllpReceiver, ratio: float = 1.0
) -> AsyncIterator[int]:
    """Run all processes of a message's way; gives the port of the listener."""
    port = ports.any_free()
    environment = {
        "PYTHONPATH": str(CHECKOUT),
        "YILIAN_HOME": str(home),
        "YILIAN_DATABASE_URL": url,
        "YILIAN_AMQP_URL": amqp,
        "YILIAN_ROUTING_KEY": "k" * 32,
        "YILIAN_MLLP_PORT": str(port),
        "YILIAN_RULES_DIR": str(rulebook(home, ward.port)),
        "YILIAN_DELIVERY_SECRETS__HOOK": "a shared secret",
        "YILIAN_OTLP_ENDPOINT": endpoint,
        "YILIAN_TRACE_RATIO": str(ratio),
    }
    async with AsyncExitStack() as stack:
        for module in MODULES:
            await stack.enter_async_context(process(module, environment, home))
        alive = "SELECT count(*) FROM bus.heartbeat"
        await until(lambda: rows(url, alive) == [(len(MODULES),)], 60)
        yield port


async def send(port: int, *arrivals: Arrival) -> None:
    """Send messages and wait for their answers."""
    reader, writer = await asyncio.open_connection(ports.LOOPBACK, port)
    try:
        for arrival in arrivals:
            writer.write(framed(arrival.body.decode(arrival.charset).encode()))
            assert b"MSA|AA" in await reader.readuntil(b"\x1c\r")
    finally:
        writer.close()
        await writer.wait_closed()


def tree(spans: Sequence[Got]) -> dict[str, tuple[str, str]]:
    """Return each span's service, and its parent's name."""
    names = {span.span: span.name for span in spans}
    return {span.name: (span.service, names.get(span.parent, span.parent)) for span in spans}


async def test_a_message_is_one_tree_across_its_processes_and_one_not_sampled_leaves_no_span(
    database_url: str, amqp_url: str, tmp_path: Path
) -> None:
    fine = [hl7("ADT^A28", f"M777{n}", sex="M") for n in range(20)]
    wrong = [hl7("ADT^A28", f"M888{n}", sex="危") for n in range(20)]
    with collecting() as collector:
        async with (
            MllpReceiver() as ward,
            platform(database_url, amqp_url, tmp_path, collector.endpoint, ward, ratio=0.5) as port,
        ):
            await send(port, *fine, *wrong)
            ids = [id_ for (id_,) in rows(database_url, "SELECT id FROM bus.inbox ORDER BY id")]
            wanted = [{id_ for id_ in part if tracing.sampled(id_, 0.5)} for part in (ids[:20], ids[20:])]
            assert all(0 < len(part) < 20 for part in wanted)
            await until(lambda: [collector.messages(name) for name in ("send", "held")] == wanted, 60)
            await until(lambda: collector.messages("route") == wanted[0] | wanted[1], 60)
    spans = [span for span in collector.spans if span.message in wanted[0]]
    for id_ in wanted[0]:
        mine = [span for span in spans if span.message == id_]
        assert len(mine) == len({span.span for span in mine}) == 9
        assert {span.trace for span in mine} == {f"{tracing.trace_id(id_):032x}"}
        assert tree(mine) == {
            "receive": ("yilian.mllp", ""),
            "commit": ("yilian.mllp", "receive"),
            "publish": ("yilian.relay", "commit"),
            "route": ("yilian.router", "publish"),
            "rules": ("yilian.router", "route"),
            "record": ("yilian.router", "route"),
            "identity": ("yilian.router", "record"),
            "deliver": ("yilian.delivery", "record"),
            "send": ("yilian.delivery", "deliver"),
        }
    assert collector.messages() == wanted[0] | wanted[1]
    assert all(span.began <= span.ended for span in collector.spans)
    assert {span.attributes["yilian.code"] for span in spans if span.name == "send"} == {"AA"}
    held = next(span for span in collector.spans if span.name == "held")
    assert held.attributes["yilian.code"] == "unmapped_code"
    told = str(collector.spans)
    assert not [word for word in ("王", "珅", "M777", "M888", "危") if word in told]


async def test_a_collector_that_is_away_holds_up_nothing(
    database_url: str, amqp_url: str, tmp_path: Path
) -> None:
    """`process` asserts that each ends within ten seconds."""
    async with MllpReceiver() as ward:
        nowhere = f"http://127.0.0.1:{ports.any_free()}"
        async with platform(database_url, amqp_url, tmp_path, nowhere, ward) as port:
            began = time.monotonic()
            await send(port, hl7("ADT^A28", "M1", sex="M"))
            await until(lambda: len(ward.got) == 1, 60)
            assert time.monotonic() - began < 20
