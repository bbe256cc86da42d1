"""The relay: publishes what is ready, marks what is confirmed, and outlives its broker and its database."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any

import psycopg
import structlog

from bus.broker import BrokerUnavailableError, Publisher
from bus.relay import ready

log = structlog.get_logger("bus.relay")

Connect = Callable[[], Awaitable[Publisher]]
SETTLE_SECONDS = 10.0
"""Ids are given before their commit: a lower one may appear this late and is still seen at once."""
STUBBORN = 10
"""After so many times `republish` a message rings again although the queues are not empty."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often the relay looks. All in seconds."""

    batch: int = 1000
    """Messages published before their confirms are awaited."""
    idle: float = 0.03
    sweep: float = 1.0
    """Between looks at the whole work table: for what was put off, released, or committed very late."""
    republish: float = 30.0
    standby: float = 1.0
    longest_backoff: float = 5.0


class Relay:
    """One relay. Of several, one publishes and the others stand by."""

    def __init__(self, conninfo: str, connect: Connect, pace: Pace | None = None) -> None:
        self._conninfo = conninfo
        self._connect = connect
        self._pace = pace or Pace()
        self.leading = False
        self.published = 0
        """Confirmed doorbells since the start."""

    async def run(self) -> None:
        """Publish until cancelled."""
        failures = 0
        while True:
            try:
                await self._session()
                failures = 0
            except (psycopg.OperationalError, psycopg.InterfaceError, BrokerUnavailableError) as error:
                failures += 1
                delay = min(0.1 * 2**failures, self._pace.longest_backoff)
                log.warning("relay_interrupted", error=type(error).__name__, retry_in=delay)
                await asyncio.sleep(delay)
            finally:
                self.leading = False

    async def _session(self) -> None:
        options: dict[str, Any] = {"autocommit": True, "connect_timeout": 5, "application_name": "relay"}
        async with await psycopg.AsyncConnection.connect(self._conninfo, **options) as connection:
            if not await ready.lead(connection):
                await asyncio.sleep(self._pace.standby)
                return
            self.leading = True
            publisher = await self._connect()
            log.info("relay_leading")
            try:
                await _Round(self, connection, publisher, self._pace).forever()
            finally:
                await publisher.close()


class _Round:
    """The work of one session: one connection to each side."""

    def __init__(
        self, relay: Relay, connection: psycopg.AsyncConnection[Any], publisher: Publisher, pace: Pace
    ) -> None:
        self._relay = relay
        self._connection = connection
        self._publisher = publisher
        self._pace = pace
        self._floor = 0
        self._marks: deque[tuple[float, int]] = deque()
        self._next_sweep = 0.0
        self._next_check = monotonic() + pace.republish / 3

    async def forever(self) -> None:
        while True:
            busy = await self._look()
            if monotonic() >= self._next_check:
                await self._ring_again()
            if not busy:
                await asyncio.sleep(self._pace.idle)

    async def _look(self) -> bool:
        started = monotonic()
        sweep = started >= self._next_sweep
        found = await ready.due(self._connection, 0 if sweep else self._settled(started), self._pace.batch)
        if sweep and len(found.rings) < self._pace.batch:
            # A sweep of a long table must not become the relay's only work.
            self._next_sweep = monotonic() + max(self._pace.sweep, 20 * (monotonic() - started))
        if not found.rings or found.selected is None:
            return False
        confirmed = await self._publisher.publish(found.rings)
        if confirmed:
            await ready.mark(self._connection, sorted(confirmed), found.selected)
            self._relay.published += len(confirmed)
            self._marks.append((started, max(confirmed)))
        if len(confirmed) < len(found.rings):
            log.warning("not_confirmed", count=len(found.rings) - len(confirmed))
            raise BrokerUnavailableError("the broker returned or refused doorbells: declare its queues again")
        return True

    def _settled(self, now: float) -> int:
        while self._marks and self._marks[0][0] < now - SETTLE_SECONDS:
            self._floor = max(self._floor, self._marks.popleft()[1])
        return self._floor

    async def _ring_again(self) -> None:
        """Ring again for what was published long ago and is not done, if the queues do not hold it: a broker
        that
        lost its disk, or a doorbell behind one that was put off.
        """
        empty = await self._publisher.waiting() == 0
        age = self._pace.republish if empty else self._pace.republish * STUBBORN
        count = await ready.forget(self._connection, age)
        if count:
            log.warning("ringing_again", count=count)
            self._next_sweep = 0.0
        self._next_check = monotonic() + self._pace.republish / 3
