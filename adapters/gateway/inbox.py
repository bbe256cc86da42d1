"""The inbox as a listener on the front machine sees it: what `bus.inbox.Inbox` is at the hub, over the spool.

What comes while a commit is under way is committed together by the next.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import Self

import structlog

from adapters.gateway.spool import Spool
from bus.envelope import Arrival, Receipt, Refusal
from consortium.errors import RetryableError

GROUP, GROUP_BYTES = 512, 16 * 1024 * 1024
"""In one commit, at most."""
MOST, MOST_BYTES = 20_000, 64 * 1024 * 1024
"""What may wait for a commit; more is refused for now."""

Told = Callable[[Receipt | Exception], None]
_Waiting = tuple[Arrival | Refusal, Told]

log = structlog.get_logger("adapters.gateway")


class SpoolInbox:
    """Spools arrivals and refusals in the order in which they were submitted. Use it with `async with`."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._thread = ThreadPoolExecutor(1, "spool")
        self._waiting: deque[_Waiting] = deque()
        self._bytes = 0
        self._work = asyncio.Event()
        self._closing = False
        self._writer: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Start writing."""
        self._writer = asyncio.create_task(self._write(), name="spool")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Spool what is waiting, then stop."""
        await self.close()

    def take(self, arrival: Arrival, told: Told) -> None:
        """Queue an arrival; `told` is called with its receipt after the commit.

        It is called with RetryableError when the spool takes nothing now, which may be at once, and with
        PermanentError when this message cannot be spooled.
        """
        self._queue(arrival, told)

    def submit(self, arrival: Arrival) -> asyncio.Future[Receipt]:
        """Queue an arrival; the future is done after the commit, or fails as `take` says."""
        return self._submitted(arrival)

    async def accept(self, arrival: Arrival) -> Receipt:
        """Spool an arrival and return after the commit. Raises as `take` says."""
        return await self._submitted(arrival)

    async def refuse(self, refusal: Refusal) -> int:
        """Spool what was refused, and return its number here. Raises RetryableError."""
        return (await self._submitted(refusal)).id

    async def ended(self) -> None:
        """Return or raise when the writer ends: by `close`, or by a fault of ours."""
        if self._writer is not None:
            await asyncio.shield(self._writer)

    async def close(self) -> None:
        """Accept nothing more, spool what is waiting, stop."""
        self._closing = True
        self._work.set()
        if self._writer is not None:
            await self._writer
        self._thread.shutdown()

    def _submitted(self, item: Arrival | Refusal) -> asyncio.Future[Receipt]:
        done: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self._queue(item, partial(_settle, done))
        return done

    def _queue(self, item: Arrival | Refusal, told: Told) -> None:
        if self._closing or len(self._waiting) >= MOST or self._bytes > MOST_BYTES:
            told(
                RetryableError("the gateway is stopping, or too much is coming: send the message again later")
            )
            return
        self._waiting.append((item, told))
        self._bytes += len(item.body)
        self._work.set()

    async def _write(self) -> None:
        while self._waiting or not self._closing:
            if not self._waiting:
                self._work.clear()
                await self._work.wait()
                continue
            group = self._group()
            items = [item for item, _ in group]
            outcomes: Sequence[Receipt | Exception]
            try:
                outcomes = await asyncio.get_running_loop().run_in_executor(
                    self._thread, self._spool.store, items
                )
            except RetryableError as error:
                log.warning("not_spooled", count=len(group), reason=str(error))
                outcomes = [error] * len(group)
            _tell(group, outcomes)

    def _group(self) -> list[_Waiting]:
        group: list[_Waiting] = []
        size = 0
        while self._waiting and len(group) < GROUP and size < GROUP_BYTES:
            item, told = self._waiting.popleft()
            size += len(item.body)
            group.append((item, told))
        self._bytes -= size
        return group


def _settle(done: asyncio.Future[Receipt], outcome: Receipt | Exception) -> None:
    if done.done():
        return
    if isinstance(outcome, Receipt):
        done.set_result(outcome)
    else:
        done.set_exception(outcome)


def _tell(group: Sequence[_Waiting], outcomes: Sequence[Receipt | Exception]) -> None:
    for (item, told), outcome in zip(group, outcomes, strict=True):
        try:
            told(outcome)
        except Exception:  # one sender's fault is not its neighbours'
            log.exception("told_failed", endpoint=item.endpoint)
