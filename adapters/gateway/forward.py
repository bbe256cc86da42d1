"""Forwarding: what is spooled goes to the hub in order, is sent again until it is confirmed, and only then
goes from the spool.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import time
from collections.abc import Callable
from typing import Protocol

import structlog

from adapters.gateway.codec import Answer, Batch, Status
from adapters.gateway.pending import OtherHistoryError, Pending, Piece
from adapters.gateway.settings import LineSettings
from adapters.gateway.spool import Level
from adapters.gateway.trouble import LineError, Trouble
from bus.delivery.backoff import backoff

PRUNE_SECONDS = 30.0
"""Between two looks at what may be deleted."""

log = structlog.get_logger("adapters.gateway")


class Line(Protocol):
    """What sends: `adapters.gateway.client.Client`."""

    async def send(self, batch: Batch) -> Answer:
        """Send a batch; raises LineError."""
        ...


class Forwarder:
    """Drives the line until cancelled."""

    def __init__(
        self,
        name: str,
        line: Line,
        pending: Pending,
        level: Level,
        settings: LineSettings,
        doors: Callable[[], dict[str, dict[str, int | str]]],
        *,
        version: str = "",
        wall: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`doors` tells what each way in has counted; `wall`: seconds since 1970; `chance` in [0, 1)."""
        self._name = name
        self._line = line
        self._pending = pending
        self._level = level
        self._settings = settings
        self._doors = doors
        self._version = version
        self._wall = wall
        self._chance = chance
        self._more = asyncio.Event()
        self._failures = 0
        self._noted: tuple[str, str] | None = None
        self._pruned_at = 0.0

    async def run(self) -> None:
        """Forward until cancelled."""
        loop = asyncio.get_running_loop()

        def more() -> None:
            loop.call_soon_threadsafe(self._more.set)

        self._level.changed = more
        while True:
            wait = await self.attempt()
            if wait > 0:
                await self._wait(wait)

    async def attempt(self) -> float:
        """Send one batch, or a sign of life; return how many seconds to wait before the next.

        A message that comes ends a wait for the next sign of life, and no wait after a failure.
        """
        self._more.clear()
        try:
            left = await self._once()
            await self._note("up", "")
            await self._prune()
        except LineError as error:
            return await self._failed(error.trouble)
        except sqlite3.Error as error:
            return await self._failed(Trouble("disk", str(error)))
        if self._failures:
            log.info("line_up", attempts=self._failures)
        self._failures = 0
        return 0.0 if left else self._settings.beat_seconds

    async def _once(self) -> bool:
        """Send what is next; say whether more is there."""
        settings = self._settings
        piece = await asyncio.to_thread(
            self._pending.next, settings.batch_messages, settings.batch_kib * 1024
        )
        try:
            answer = await self._line.send(await self._batch(piece))
            confirmed = await asyncio.to_thread(self._pending.confirm, answer)
        except OtherHistoryError:
            return await self._renewed()
        except LineError as error:
            if error.trouble.code == "other_history":
                return await self._renewed()
            if error.trouble.code == "gap" and await asyncio.to_thread(
                self._pending.rewind, error.trouble.expected
            ):
                log.warning("sending_again", from_id=error.trouble.expected)
                return True
            raise
        if piece.entries and not confirmed:
            raise LineError(Trouble("not_understood", f"the hub confirms {answer.committed} again and again"))
        return self._level.count > 0

    async def _renewed(self) -> bool:
        log.warning(
            "spool_renewed",
            reason="the hub has other entries under our numbers: the spool was an older copy of itself;"
            " what is not confirmed is sent under a new history, and known control ids change nothing",
        )
        await asyncio.to_thread(self._pending.renew)
        return True

    async def _batch(self, piece: Piece) -> Batch:
        oldest = piece.entries[0].at if piece.entries else None
        status = Status(
            spooled=max(0, self._level.count),
            spooled_bytes=max(0, self._level.bytes),
            oldest_seconds=max(0.0, self._wall() - oldest) if oldest is not None else 0.0,
            full=self._level.full,
            version=self._version,
            doors=self._doors(),
        )
        return Batch(self._name, piece.spool, piece.after, piece.entries, status)

    async def _failed(self, trouble: Trouble) -> float:
        self._failures += 1
        line = self._settings
        wait = backoff(self._failures, line.first_wait, line.longest_wait, self._chance())
        log.warning(
            "line_down",
            code=trouble.code,
            reason=trouble.detail,
            attempt=self._failures,
            retry_in=round(wait, 1),
            queued=self._level.count,
        )
        await self._note(trouble.code, trouble.detail)
        return wait

    async def _note(self, state: str, detail: str) -> None:
        if self._noted == (state, detail):
            return
        try:
            await asyncio.to_thread(self._pending.note, state, detail)
        except sqlite3.Error as error:
            log.warning("not_noted", code=state, error=type(error).__name__)
            return
        self._noted = (state, detail)

    async def _prune(self) -> None:
        if self._wall() - self._pruned_at < PRUNE_SECONDS:
            return
        self._pruned_at = self._wall()
        while True:
            if not await asyncio.to_thread(self._pending.prune):
                return

    async def _wait(self, seconds: float) -> None:
        if self._failures:
            await asyncio.sleep(seconds)
            return
        try:
            async with asyncio.timeout(seconds):
                await self._more.wait()
        except TimeoutError:
            return
