"""The poller: each campus's tables in turn, again and again, until told to stop."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Protocol

import psycopg
import structlog

from adapters.tables.client import Source
from adapters.tables.poll import Counts, follow
from adapters.tables.recent import Recent
from adapters.tables.settings import Campus
from adapters.tables.sweep import Ledger, TooManyVanishedError, sweep
from adapters.waiting import wait
from consortium.errors import YilianError

log = structlog.get_logger("adapters.tables")


class Store(Ledger, Protocol):
    """Where rows and watermarks go: `adapters.tables.store.Store`."""

    def close(self) -> None:
        """Let the connection go; the next call connects anew."""
        ...


class Poller:
    """Polls one campus. `detail` is what its heartbeat shows."""

    def __init__(
        self,
        campus: Campus,
        source: Source,
        store: Store,
        stop: threading.Event,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """`jitter` gives 0 to 1: how much of a wait's second half is waited."""
        self.campus = campus
        self._source = source
        self._store = store
        self._stop = stop
        self._jitter = jitter
        self._recent = {table.name: Recent() for table in campus.tables}
        self._total = Counts()
        self._state = "starting"
        self._reason = ""
        self._failures = 0
        self._cycles = 0
        self._suspended: dict[str, str] = {}

    def detail(self) -> Mapping[str, Any]:
        """Return state, reason and counts since the start."""
        return {
            "campus": self.campus.facility,
            "state": self._state,
            "reason": self._reason,
            "failures": self._failures,
            "sweep_suspended": dict(self._suspended),
            **asdict(self._total),
        }

    def run(self) -> None:
        """Poll until stopped."""
        while not self._stop.is_set():
            self._stop.wait(self.attempt())

    def attempt(self) -> float:
        """Poll once, whatever happens; return the seconds to wait before the next."""
        try:
            self.cycle()
        except (YilianError, psycopg.Error) as error:
            return self._failed(error)
        if self._failures:
            log.info("source_back", campus=self.campus.facility, attempts=self._failures)
        self._state, self._reason, self._failures = "polling", "", 0
        return self.campus.interval

    def cycle(self) -> Counts:
        """Read every table once, all up to the same moment, then look for rows that vanished."""
        until = self._source.now() - self.campus.lag_time
        total = Counts()
        for table in self.campus.tables:
            recent = self._recent[table.name]
            total += follow(self._source, self._store, table, until, recent=recent, go_on=self._going)
            if table.sweep and self._going() and self._cycles % self.campus.sweep_every == 0:
                total += self._sweep(table.name)
        self._total += total
        self._cycles += 1
        return total

    def _sweep(self, name: str) -> Counts:
        try:
            counts = sweep(self._source, self._store, self.campus.table(name))
        except TooManyVanishedError as error:
            if name not in self._suspended:
                log.warning("sweep_suspended", campus=self.campus.facility, table=name)
            self._suspended[name] = str(error)
            return Counts()
        self._suspended.pop(name, None)
        return counts

    def _failed(self, error: YilianError | psycopg.Error) -> float:
        self._store.close()
        self._failures += 1
        self._state = "waiting"
        # psycopg's text may quote a row.
        self._reason = (
            str(error)
            if isinstance(error, YilianError)
            else f"the platform's database: {type(error).__name__}"
        )
        seconds = wait(self.campus.interval, self._failures, error, self._jitter())
        log.warning(
            "poll_failed", campus=self.campus.facility, error=type(error).__name__, retry_in=round(seconds, 1)
        )
        return seconds

    def _going(self) -> bool:
        return not self._stop.is_set()
