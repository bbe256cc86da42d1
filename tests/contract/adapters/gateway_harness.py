"""A gateway with a hub behind it, and a campus's HL7 engine in front that waits for the hub."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from adapters.gateway.agent import Agent
from adapters.mllp.client import Client
from bus.hl7.build import build, components, escape
from tests.contract.adapters.harness import Answer, Patient, Running
from tests.gateways import Place

Made = TypeVar("Made")


class _Engine:
    """An engine that speaks to the gateway alone."""

    def __init__(self, loop: asyncio.AbstractEventLoop, agent: Agent, port: int) -> None:
        self._loop = loop
        self._agent = agent
        self._port = port

    def send(self, patient: Patient, charset: str) -> Answer:
        """ADT^A08."""
        return self._send(patient, charset, "ADT^A08^ADT_A01")

    def send_bad(self) -> Answer:
        """A type that is none."""
        return self._send(Patient("BAD", "x"), "UNICODE UTF-8", "XXX^X01")

    def detail(self) -> dict[str, int | str]:
        """As the hub hears of it."""
        return self._agent.doors.detail()["mllp-front"]

    def _send(self, patient: Patient, charset: str, kind: str) -> Answer:
        head = ["MSH", "^~\\&", "HIS", "HP", "BUS", "HUB", "20261120", "", kind, patient.id, "P", "2.5"]
        pid = ["PID", "1", "", patient.id, "", components(patient.name), *[""] * 7, escape(patient.phone)]
        return _run(self._loop, self._exchange(build([[*head, *[""] * 5, charset], pid], charset)))

    async def _exchange(self, raw: bytes) -> Answer:
        async with Client("127.0.0.1", self._port, timeout=30) as client:
            answer = await client.send(raw)
        async with asyncio.timeout(30):
            while self._agent.level.count:  # noqa: ASYNC110 - counted down in the forwarder's threads
                await asyncio.sleep(0.005)
        return Answer(
            answer.code, f"{answer.error_code or ''} {answer.reason or ''}", answer.control_id or ""
        )


class GatewayHarness:
    """`adapters.gateway`."""

    name_path = "PID-5.1"
    bad_code = "unknown_type"

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._agent: Agent | None = None
        self._place: Place | None = None

    def close(self) -> None:
        """Remove the spool."""
        self._folder.cleanup()

    @contextmanager
    def away(self) -> Iterator[None]:
        """The store of a gateway is its spool, which is full."""
        assert self._agent is not None
        usual = self._agent.level.bytes
        self._agent.level.bytes = 2**62
        yield
        self._agent.level.bytes = usual

    @contextmanager
    def running(self, database_url: str) -> Iterator[Running]:
        """Run both in a thread with an event loop of its own; the spool stays for the next time."""
        place = self._place = self._place or Place(Path(self._folder.name), database_url)
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()
        both = place.running()
        _, self._agent = _run(loop, both.__aenter__())
        try:
            yield _Engine(loop, self._agent, place.mllp_port)
        finally:
            _run(loop, both.__aexit__(None, None, None))
            loop.call_soon_threadsafe(loop.stop)
            thread.join(20)
            loop.close()


def _run(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Made]) -> Made:
    return asyncio.run_coroutine_threadsafe(work, loop).result(60)
