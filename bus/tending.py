"""The bus's own housekeeping, in threads beside an existing process: counting, alerts, replays begun over
the API, retention, holds of slots that are over.

It runs in the API and in the worker. One of them looks at a time, under a lock; so the end of either is seen
by the other, and no process of its own costs memory.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import sqlalchemy as sa
import structlog

from bus import gateways, gauges, systems
from bus.alerts import conditions, delivery, store
from bus.alerts.channel import Channel
from bus.alerts.conditions import Limits
from bus.delivery import figures
from bus.master_data import standing
from bus.notifying import figures as notifying
from bus.repeating import repeating
from bus.replay import run
from bus.retention import run as retention
from bus.retention.decide import Keep
from consortium.scheduling.booking import sweep

log = structlog.get_logger("bus.tending")

LOOK = 5.0
"""Seconds between looks."""
RETAIN = 600.0
"""Seconds between two runs of retention."""
SWEEP = 30.0
"""Seconds between two looks for holds that are over; whoever wants their time needs no sweep."""
LOCK = 0x59_69_6C_69_61_6E_08
"""Advisory lock of whoever looks."""
TAKE = sa.text("SELECT pg_try_advisory_xact_lock(:lock)")


@dataclass(frozen=True)
class Tended:
    """What is tended, and by which thresholds."""

    database_url: str
    routing_key: str
    home: Path
    """A folder on the disk that must not run full."""
    limits: Limits = field(default_factory=Limits)
    channels: Mapping[str, Channel] = field(default_factory=dict)
    """How people are told, by channel."""
    keep: Keep = field(default_factory=Keep)
    """How long what is kept."""
    documents: Path | None = None
    """The folder of the documents' store, where it is not below the home; it may not be there."""

    def engine(self) -> sa.Engine:
        """Return an engine for the threads."""
        url = sa.make_url(self.database_url).set(drivername="postgresql+psycopg")
        arguments = {"connect_timeout": 5, "application_name": "tending"}
        return sa.create_engine(
            url, pool_size=4, max_overflow=1, pool_pre_ping=True, hide_parameters=True, connect_args=arguments
        )


class Watch:
    """Looks again and again; it remembers since when a process gives no sign of life at all."""

    def __init__(
        self, engine: sa.Engine, tended: Tended, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._engine = engine
        self._tended = tended
        self._clock = clock
        self._absent: dict[str, float] = {}

    def look(self) -> bool:
        """Count on, raise and clear alerts, tell people; False when another process does at this moment."""
        with self._engine.begin() as connection:
            if not connection.execute(TAKE, {"lock": LOCK}).scalar_one():
                return False
            while systems.advance(self._engine):
                continue
            found = conditions.readings(self._state(connection), self._tended.limits)
            raised, cleared = store.settle(connection, found, list(self._tended.channels))
        for event, ids in (("alert_raised", raised), ("alert_cleared", cleared)):
            for id_ in ids:
                log.warning(event, alert=id_)
        while delivery.deliver(self._engine, self._tended.channels):
            continue
        return True

    def _state(self, connection: sa.Connection) -> conditions.State:
        return conditions.State(
            queue_age=gauges.queue_age(connection),
            unmapped=gauges.unmapped(connection),
            silent_processes=self._silent(dict(gauges.beats(connection))),
            errors=gauges.errors(connection, conditions.ERROR_WINDOW),
            silence=gauges.silence(connection),
            disk_used=_used(self._tended.home),
            gateways=gateways.gateways(connection),
            destinations=figures.standings(connection),
            subscribers=standing.unhanded(connection),
            store_away=gauges.store_away(connection),
            notifications_stuck=notifying.stuck(connection),
            notifications_late=notifying.late(connection),
            schedule_to_start=gauges.schedule_to_start(connection),
            documents_used=_used_there(self._tended.documents),
        )

    def _silent(self, ages: dict[str, float]) -> dict[str, float]:
        now = self._clock()
        for process in self._tended.limits.processes:
            if process in ages:
                self._absent.pop(process, None)
            else:
                ages[process] = now - self._absent.setdefault(process, now)
        return ages


def _used_there(folder: Path | None) -> float | None:
    return _used(folder) if folder is not None and folder.exists() else None


def _used(folder: Path) -> float:
    usage = shutil.disk_usage(folder if folder.exists() else Path("/"))
    return usage.used / (usage.used + usage.free)


def replays(engine: sa.Engine, tended: Tended) -> bool:
    """Drive a replay that nobody drives to its end; False when there is none."""
    with engine.connect() as connection:
        replay_id = run.left(connection)
    if replay_id is None:
        return False
    for page in run.drive(engine, replay_id, tended.routing_key):
        log.info("replaying", replay=replay_id, count=len(page))
    return True


def retain(engine: sa.Engine, tended: Tended) -> None:
    """Make the partitions of the days to come and take away what is old, unless another process does."""
    with suppress(retention.BusyError):
        for _ in retention.run(engine, tended.keep, datetime.now(UTC)):
            continue  # each part is logged where it is done


def sweep_holds(engine: sa.Engine) -> None:
    """End the holds of slots that are over."""
    with engine.begin() as connection:
        if ended := sweep(connection):
            log.info("holds_expired", count=ended)


@contextmanager
def tending(tended: Tended) -> Iterator[None]:
    """Tend from threads of their own inside the `with` block."""
    stop, engine = threading.Event(), tended.engine()
    tasks: dict[str, tuple[float, Callable[[], object]]] = {
        "look": (LOOK, Watch(engine, tended).look),
        "replays": (1.0, lambda: replays(engine, tended)),
        "retention": (RETAIN, lambda: retain(engine, tended)),
        "holds": (SWEEP, lambda: sweep_holds(engine)),
    }
    try:
        with ExitStack() as threads:
            for name, (pause, once) in tasks.items():
                told = partial(_interrupted, name)
                threads.enter_context(repeating(f"tending-{name}", pause, once, told, stop))
            threads.callback(stop.set)  # all are told before the first is waited for
            yield
    finally:
        engine.dispose()


def _interrupted(name: str, error: Exception) -> None:
    log.warning("tending_interrupted", task=name, error=type(error).__name__)
