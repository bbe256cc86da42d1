"""The MLLP listener: accepts connections and owns what they share."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import structlog

from adapters.mllp.answering import Answers
from adapters.mllp.connection import Connection
from adapters.mllp.settings import MllpSettings
from bus.envelope import Arrival, Receipt, Refusal

log = structlog.get_logger("adapters.mllp")


class Store(Protocol):
    """What the listener needs of the inbox."""

    def take(self, arrival: Arrival, told: Callable[[Receipt | Exception], None]) -> None:
        """Queue an arrival; `told` is called after the commit, or with the reason that there is none."""

    async def refuse(self, refusal: Refusal) -> int:
        """Keep what was refused."""


class Listener:
    """Listens until it is stopped. What it answered AA is committed."""

    def __init__(
        self, settings: MllpSettings, inbox: Store, *, clock: Callable[[], float] | None = None
    ) -> None:
        """`clock` counts seconds for time-outs; it is the event loop's unless a test gives another."""
        self.settings = settings
        self.inbox = inbox
        self.answers = Answers(enhanced=settings.enhanced)
        self.clock = clock or asyncio.get_running_loop().time
        self.received = 0
        self.refused = 0
        self._connections: set[Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._settled = asyncio.Event()
        self._buffered = 0
        self._server: asyncio.Server | None = None
        self._sweeper: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port it listens on; the one chosen, where the setting is 0."""
        if self._server is None:
            raise RuntimeError("the listener is not started")
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def connections(self) -> int:
        """How many senders are connected."""
        return len(self._connections)

    async def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(self), self.settings.host, self.settings.port, backlog=512
        )
        self._sweeper = asyncio.create_task(self._sweep(), name="mllp time-outs")
        log.info("listening", endpoint=self.settings.endpoint, host=self.settings.host, port=self.port)

    async def stop(self, seconds: float = 8.0) -> None:
        """Accept nothing more, finish what is in flight, answer it, close. Cuts off after `seconds`."""
        if self._server is not None:
            self._server.close()
        if self._sweeper is not None:
            self._sweeper.cancel()
        for connection in list(self._connections):
            connection.stop()
        self._settle()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._settled.wait(), seconds)
        for task in self._tasks:
            task.cancel()
        log.info("stopped", endpoint=self.settings.endpoint, connection=len(self._connections))

    def join(self, connection: Connection) -> bool:
        """Count a connection in; False when there are too many already."""
        if len(self._connections) >= self.settings.connections:
            log.warning(
                "too_many_connections", endpoint=self.settings.endpoint, limit=self.settings.connections
            )
            return False
        self._connections.add(connection)
        return True

    def leave(self, connection: Connection) -> None:
        """Count a connection out."""
        self._connections.discard(connection)
        self._settle()

    def buffer(self, change: int) -> bool:
        """Count bytes of unfinished messages; say whether there are too many."""
        self._buffered += change
        return change > 0 and self._buffered > self.settings.buffer_limit

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something beside the connections, and wait for it when stopping."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("task_failed", exc_info=error)
        self._settle()

    def _settle(self) -> None:
        if self._connections or self._tasks:
            self._settled.clear()
        else:
            self._settled.set()

    async def refuse(self, refusal: Refusal) -> None:
        """Keep a refusal. Raises RetryableError when the store is away."""
        self.refused += 1
        number = await self.inbox.refuse(refusal)
        log.info(
            "refused", endpoint=refusal.endpoint, code=refusal.code, refusal_id=number, size=refusal.size
        )

    async def _sweep(self) -> None:
        every = max(min(self.settings.frame_seconds, self.settings.idle_seconds) / 4, 0.05)
        while True:
            await asyncio.sleep(every)
            now = self.clock()
            for connection in list(self._connections):
                connection.check_time(now)
