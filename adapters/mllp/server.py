"""The MLLP listener: accepts connections and owns what they share."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import structlog

from adapters.mllp.answering import Answers
from adapters.mllp.connection import Connection
from adapters.mllp.entrance import Entrance, PlainEntrance, TlsEntrance
from adapters.mllp.ordered import Ordered
from adapters.mllp.sequence import Ledger
from adapters.mllp.settings import MllpSettings
from adapters.tls import Senders, Tls, days_left, server_context
from bus.envelope import Arrival, Receipt, Refusal
from consortium.errors import RetryableError

log = structlog.get_logger("adapters.mllp")

RENEW_WITHIN = 30
"""Days before a certificate's end from which the log speaks of it."""


class Store(Protocol):
    """What the listener needs of the inbox."""

    def take(self, arrival: Arrival, told: Callable[[Receipt | Exception], None]) -> None:
        """Queue an arrival; `told` is called after the commit, or with the reason that there is none."""

    def submit(self, arrival: Arrival) -> asyncio.Future[Receipt]:
        """Queue an arrival; the future is done after the commit."""

    async def refuse(self, refusal: Refusal) -> int:
        """Keep what was refused."""


class Replies(Protocol):
    """Answers messages by itself, instead of the inbox's commit."""

    async def answer(self, connection: Connection, raw: bytes) -> bytes:
        """Return the framed answer to a message; b"" for none."""


class Listener:
    """Listens until it is stopped. What it answered AA is committed."""

    def __init__(
        self,
        settings: MllpSettings,
        inbox: Store,
        *,
        ledger: Ledger | None = None,
        replies: Callable[[Listener], Replies] | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """`ledger` keeps sequence numbers, for an endpoint with `sequence`. `replies` makes what answers in
        place of the inbox. `clock` counts seconds for time-outs; it is the event loop's unless a test gives
        another.
        """
        if settings.sequence and ledger is None:
            raise ValueError("an endpoint with sequence numbers needs a ledger to keep them")
        self.settings = settings
        self.inbox = inbox
        self.answers = Answers(enhanced=settings.enhanced)
        self.replies: Replies | None = Ordered(self, ledger) if settings.sequence and ledger else None
        if replies is not None:
            self.replies = replies(self)
        self.clock = clock or asyncio.get_running_loop().time
        self.accepted = 0
        """Messages answered AA (or CA) since the start."""
        self.refused = 0
        """Refusals kept since the start."""
        self.unavailable = 0
        """Messages answered AE, to be sent again, since the start."""
        tls = settings.tls
        self.senders = Senders(tls.senders) if tls and tls.senders else None
        """Who may send for which campus, where certificates say so."""
        self._connections: set[Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._settled = asyncio.Event()
        self._buffered = 0
        self._entrance: Entrance | None = None
        self._sweeper: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port it listens on; the one chosen, where the setting is 0."""
        if self._entrance is None:
            raise RuntimeError("the listener is not started")
        return self._entrance.port

    @property
    def connections(self) -> int:
        """How many senders are connected."""
        return len(self._connections)

    def detail(self) -> dict[str, int]:
        """Return what its heartbeat shows: counts since the start."""
        return {
            "connections": self.connections,
            "accepted": self.accepted,
            "refused": self.refused,
            "unavailable": self.unavailable,
        }

    async def start(self) -> None:
        """Listen. Raises OSError when the port is taken, TlsSettingError when a certificate is of no use."""
        told = self.settings
        if told.tls is None:
            self._entrance = await PlainEntrance.open(told.host, told.port, lambda: Connection(self))
        else:
            self._entrance = await self._open_tls(told.tls)
        self._sweeper = asyncio.create_task(self._sweep(), name="mllp time-outs")
        protocol = "mllp over TLS" if told.tls else "mllp"
        log.info("listening", endpoint=told.endpoint, host=told.host, port=self.port, protocol=protocol)

    async def _open_tls(self, tls: Tls) -> TlsEntrance:
        context = server_context(tls)
        if (days := days_left(tls.certificate)) < RENEW_WITHIN:
            log.warning("certificate_ends", endpoint=self.settings.endpoint, reason=f"in {days} days")
        entrance = await TlsEntrance.open(
            self.settings.host,
            self.settings.port,
            lambda: Connection(self),
            context,
            seconds=tls.handshake_seconds,
            most=self.settings.connections,
        )
        entrance.begin(self._no_handshake)
        return entrance

    async def _no_handshake(self, peer: str, code: str, reason: str) -> None:
        """Keep a handshake that failed among the refusals: its sender sees no more than a closed line."""
        refusal = Refusal("mllp", self.settings.endpoint, peer, code, reason, b"", 0)
        try:
            await self.refuse(refusal)
        except RetryableError as error:
            log.warning("refusal_not_recorded", code=code, error=type(error).__name__)

    async def stop(self, seconds: float = 8.0) -> None:
        """Accept nothing more, finish what is in flight, answer it, close. Cuts off after `seconds`."""
        if self._entrance is not None:
            await self._entrance.close()
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
