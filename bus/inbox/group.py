"""Group commit: what arrives while one commit is under way is committed together by the next."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from operator import attrgetter
from types import TracebackType
from typing import Self

import psycopg
import structlog

from bus import tracing
from bus.envelope import Arrival, Outcome, Receipt, Refusal
from bus.inbox import refusals
from bus.inbox.link import PATIENCE, Link, retryable
from bus.inbox.storing import HOPEFUL, HOPEFUL_TYPES, Storing
from bus.inbox.traced import stored
from bus.inbox.wire import Wire
from consortium.errors import PermanentError, RetryableError

log = structlog.get_logger("bus.inbox")

_GROUP = 512
"""Messages in one commit, at most."""
_FURTHER = attrgetter("further_patient_numbers")
_CAREFUL = 1.0
"""Seconds after a retry came during which the next are expected: senders repeat in bursts."""
_GROUP_BYTES = 16 * 1024 * 1024


Told = Callable[[Receipt | Exception], None]
"""What is called with a message's receipt after the commit, or with the reason that it is not stored."""


class _Waiting:
    """An arrival and who is told of its receipt."""

    __slots__ = ("arrival", "since", "told")

    def __init__(self, arrival: Arrival, told: Told, since: float) -> None:
        self.arrival = arrival
        self.told = told
        self.since = since


class Inbox:
    """Stores arrivals on one connection, in the order in which they were submitted. Use it with `async
    with`.
    """

    def __init__(
        self,
        conninfo: str,
        routing_key: str,
        *,
        window: timedelta = timedelta(days=30),
        patience: float = 2.0,
        most: int = 20_000,
        most_bytes: int = 256 * 1024 * 1024,
    ) -> None:
        """`window`: how long a control id stays known. `patience`: seconds that a message waits for a
        database that is away before its sender is told to try again. `most`, `most_bytes`: what may wait;
        more is refused for now.
        """
        self._storing = Storing(routing_key, window)
        self._patience = patience
        self._most = most
        self._most_bytes = most_bytes
        self._wire = Wire(conninfo, "inbox", HOPEFUL, HOPEFUL_TYPES, PATIENCE)
        self._link = Link(conninfo, "inbox retries")
        self._careful_until = 0.0
        self._refusing = Link(conninfo, "refusals")
        self._refusing_lock = asyncio.Lock()
        self._waiting: deque[_Waiting] = deque()
        self._bytes = 0
        self._work = asyncio.Event()
        self._closing = False
        self._writer: asyncio.Task[None] | None = None
        self.stored = 0
        """Messages answered with a receipt since the start."""

    async def __aenter__(self) -> Self:
        """Start writing. A database that is away is no error here: it is connected to when it is back."""
        self._writer = asyncio.create_task(self._write(), name="inbox")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Store what is waiting, then stop."""
        await self.close()

    @property
    def queued(self) -> int:
        """Messages waiting to be committed."""
        return len(self._waiting)

    def take(self, arrival: Arrival, told: Told) -> None:
        """Queue an arrival; `told` is called with its receipt after the commit.

        It is called with RetryableError when the store is away or full, which may be at once, and with
        PermanentError when this message cannot be stored.
        """
        size = len(arrival.body)
        if (
            self._closing
            or len(self._waiting) >= self._most
            or (self._bytes and self._bytes + size > self._most_bytes)
        ):
            told(RetryableError("the inbox is stopping or full: send the message again later"))
            return
        self._waiting.append(_Waiting(arrival, told, asyncio.get_running_loop().time()))
        self._bytes += size
        self._work.set()

    def submit(self, arrival: Arrival) -> asyncio.Future[Receipt]:
        """Queue an arrival; the future is done after the commit, or fails as `take` says."""
        done: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self.take(arrival, partial(_settle, done))
        return done

    async def accept(self, arrival: Arrival) -> Receipt:
        """Store an arrival and return after the commit. Raises as `take` says."""
        return await self.submit(arrival)

    async def refuse(self, refusal: Refusal) -> int:
        """Keep what was refused, and return its number. Raises RetryableError when the store is away."""
        async with self._refusing_lock:
            try:
                rows = await self._refusing.ask((refusals.INSERT, refusals.values(refusal)))
            except psycopg.Error as error:
                await self._refusing.drop()
                raise _away(error) from error
        number: int = rows[0][0]
        return number

    async def ended(self) -> None:
        """Return or raise when the writer ends: by `close`, or by a fault of ours, after which nothing is
        stored.
        """
        if self._writer is not None:
            await asyncio.shield(self._writer)

    async def close(self) -> None:
        """Accept nothing more, store what is waiting, stop."""
        self._closing = True
        self._work.set()
        if self._writer is not None:
            await self._writer
        await self._wire.drop()
        await self._link.drop()
        await self._refusing.drop()

    async def _write(self) -> None:
        while self._waiting or not self._closing:
            if not self._waiting:
                self._work.clear()
                await self._work.wait()
                continue
            group = self._take()
            try:
                await self._store(group)
            except (psycopg.Error, RetryableError, ValueError) as error:
                await self._failed(group, error)

    def _take(self) -> list[_Waiting]:
        group: list[_Waiting] = []
        size = 0
        while self._waiting and len(group) < _GROUP and size < _GROUP_BYTES:
            waiting = self._waiting.popleft()
            size += len(waiting.arrival.body)
            group.append(waiting)
        self._bytes -= size
        return group

    async def _store(self, group: list[_Waiting]) -> None:
        arrivals = [waiting.arrival for waiting in group]
        loop, committing = asyncio.get_running_loop(), time.time_ns()
        hopeful = loop.time() >= self._careful_until and not any(map(_FURTHER, arrivals))
        receipts = (await self._hoped(arrivals) if hopeful else None) or await self._asked(arrivals)
        self.stored += len(receipts)
        if tracing.recording():
            stored(arrivals, receipts, committing, [loop.time() - waiting.since for waiting in group])
        # Soon, and not now: the next group is on its way to the database before this one's answers are sent.
        loop.call_soon(_tell, group, receipts)

    async def _hoped(self, arrivals: list[Arrival]) -> list[Receipt] | None:
        """Store messages of which none is known; None when one is, and nothing was stored."""
        try:
            ids = await self._wire.ask(self._storing.hopeful(arrivals))
        except psycopg.errors.UniqueViolation:
            self._careful_until = asyncio.get_running_loop().time() + _CAREFUL
            return None
        return [Receipt(number, Outcome.STORED) for number in sorted(ids)]

    async def _asked(self, arrivals: list[Arrival]) -> list[Receipt]:
        asking = self._storing.run(arrivals)
        question = next(asking)
        while True:
            rows = await self._link.ask(question)
            try:
                question = asking.send(rows)
            except StopIteration as done:
                receipts: list[Receipt] = done.value
                return receipts

    async def _failed(self, group: list[_Waiting], error: Exception) -> None:
        """Keep a group while patience lasts when the database is away; else find the message that it cannot
        store.
        """
        if _retryable(error):
            await self._wait_or_tell(group, error)
        elif len(group) == 1:
            _fail(group, _unstorable(error))
        else:
            await self._one_by_one(group)

    async def _one_by_one(self, group: list[_Waiting]) -> None:
        for place, waiting in enumerate(group):
            try:
                await self._store([waiting])
            except (psycopg.Error, RetryableError, ValueError) as error:
                if _retryable(error):
                    await self._wait_or_tell(group[place:], error)
                    return
                _fail([waiting], _unstorable(error))

    async def _wait_or_tell(self, group: list[_Waiting], error: Exception) -> None:
        await self._wire.drop()
        await self._link.drop()
        oldest = asyncio.get_running_loop().time() - group[0].since
        if oldest < self._patience and not self._closing:
            self._waiting.extendleft(reversed(group))
            self._bytes += sum(len(waiting.arrival.body) for waiting in group)
            await asyncio.sleep(min(0.1, self._patience))
            return
        log.warning("inbox_away", error=type(error).__name__, count=len(group))
        _fail(group, _away(error))


def _settle(done: asyncio.Future[Receipt], outcome: Receipt | Exception) -> None:
    if done.done():
        return
    if isinstance(outcome, Receipt):
        done.set_result(outcome)
    else:
        done.set_exception(outcome)


def _fail(group: Sequence[_Waiting], error: Exception) -> None:
    _tell(group, [error] * len(group))


def _tell(group: Sequence[_Waiting], outcomes: Sequence[Receipt | Exception]) -> None:
    for waiting, outcome in zip(group, outcomes, strict=True):
        try:
            waiting.told(outcome)
        except Exception:  # one sender's fault is not its neighbours'
            log.exception("inbox_told_failed", endpoint=waiting.arrival.endpoint)


def _retryable(error: Exception) -> bool:
    return isinstance(error, RetryableError) or (isinstance(error, psycopg.Error) and retryable(error))


def _away(error: Exception) -> RetryableError:
    return RetryableError(
        f"the inbox cannot store now ({type(error).__name__}): send the message again; see ./yilian status"
    )


def _unstorable(error: Exception) -> PermanentError:
    return PermanentError(f"the inbox cannot store this message ({type(error).__name__}): check its texts")
