"""The MLLP listener, and a campus's HL7 engine."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from adapters.mllp.client import Client
from adapters.mllp.server import Listener
from adapters.mllp.settings import MllpSettings
from bus.hl7.build import build, components, escape
from bus.inbox import Inbox
from tests.contract.adapters.harness import Answer, Patient, Running

SETTINGS = MllpSettings("127.0.0.1", 0, {"HP": "utf-8"}, body_limit=1024 * 1024, patience=0.2)
Made = TypeVar("Made")


class _Engine:
    """An engine that keeps one connection."""

    def __init__(self, loop: asyncio.AbstractEventLoop, listener: Listener) -> None:
        self._loop = loop
        self._listener = listener

    def send(self, patient: Patient, charset: str) -> Answer:
        """ADT^A08."""
        return self._send(patient, charset, "ADT^A08^ADT_A01")

    def send_bad(self) -> Answer:
        """A type that is none."""
        return self._send(Patient("BAD", "x"), "UNICODE UTF-8", "XXX^X01")

    def detail(self) -> dict[str, int]:
        """As the process shows it."""
        return self._listener.detail()

    def _send(self, patient: Patient, charset: str, kind: str) -> Answer:
        head = ["MSH", "^~\\&", "HIS", "HP", "BUS", "HUB", "20261120", "", kind, patient.id, "P", "2.5"]
        pid = ["PID", "1", "", patient.id, "", components(patient.name), *[""] * 7, escape(patient.phone)]
        raw = build([[*head, *[""] * 5, charset], pid], charset)
        return _run(self._loop, self._exchange(raw))

    async def _exchange(self, raw: bytes) -> Answer:
        async with Client("127.0.0.1", self._listener.port, timeout=30) as client:
            answer = await client.send(raw)
        return Answer(
            answer.code, f"{answer.error_code or ''} {answer.reason or ''}", answer.control_id or ""
        )


class MllpHarness:
    """`adapters.mllp`."""

    name_path = "PID-5.1"
    bad_code = "unknown_type"

    @contextmanager
    def running(self, database_url: str) -> Iterator[Running]:
        """Listen in a thread with an event loop of its own."""
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()
        inbox, listener = _run(loop, _started(database_url))
        try:
            yield _Engine(loop, listener)
        finally:
            _run(loop, listener.stop())
            _run(loop, inbox.close())
            loop.call_soon_threadsafe(loop.stop)
            thread.join(20)
            loop.close()


async def _started(database_url: str) -> tuple[Inbox, Listener]:
    inbox = await Inbox(database_url, "key", patience=SETTINGS.patience).__aenter__()
    listener = Listener(SETTINGS, inbox)
    await listener.start()
    return inbox, listener


def _run(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Made]) -> Made:
    return asyncio.run_coroutine_threadsafe(work, loop).result(60)
