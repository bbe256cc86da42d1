"""Signs of life: each own process upserts its row in `bus.heartbeat` every few seconds.

A database that is away does not end the process: the beat is missed, logged once, and tried again.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
import structlog
from psycopg.types.json import Jsonb

INTERVAL = 5.0
"""Seconds between beats."""

Detail = Callable[[], Mapping[str, Any]]
"""Gives what to show beside the row: counts and states, no patient data."""

_UPSERT = (
    "INSERT INTO bus.heartbeat AS h (name, pid, detail) VALUES (%s, %s, %s)"
    " ON CONFLICT (name) DO UPDATE SET pid = excluded.pid, at = clock_timestamp(), detail = excluded.detail"
)
_OPTIONS: dict[str, Any] = {"autocommit": True, "connect_timeout": 5, "application_name": "heartbeat"}

log = structlog.get_logger("bus.heartbeat")


def _row(name: str, detail: Detail | None) -> tuple[str, int, Jsonb]:
    return name, os.getpid(), Jsonb(dict(detail()) if detail else {})


class _Missed:
    """Logs the first missed beat of an outage and its end, not each one."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.missing = False

    def missed(self, error: psycopg.Error) -> None:
        if not self.missing:
            log.warning("heartbeat_missed", process=self.name, error=type(error).__name__)
        self.missing = True

    def beaten(self) -> None:
        if self.missing:
            log.info("heartbeat_resumed", process=self.name)
        self.missing = False


async def beat(conninfo: str, name: str, detail: Detail | None = None, *, interval: float = INTERVAL) -> None:
    """Beat until cancelled, for processes on asyncio. `conninfo`: URL or DSN; `interval`: seconds."""
    missed = _Missed(name)
    while True:
        try:
            async with await psycopg.AsyncConnection.connect(conninfo, **_OPTIONS) as connection:
                while True:
                    await connection.execute(_UPSERT, _row(name, detail))
                    missed.beaten()
                    await asyncio.sleep(interval)
        except psycopg.Error as error:
            missed.missed(error)
        await asyncio.sleep(min(1.0, interval))


def _beat_until(
    stop: threading.Event, conninfo: str, name: str, detail: Detail | None, interval: float
) -> None:
    missed = _Missed(name)
    while not stop.is_set():
        try:
            with psycopg.connect(conninfo, **_OPTIONS) as connection:
                while not stop.is_set():
                    connection.execute(_UPSERT, _row(name, detail))
                    missed.beaten()
                    stop.wait(interval)
        except psycopg.Error as error:
            missed.missed(error)
            stop.wait(min(1.0, interval))


@contextmanager
def beating(
    conninfo: str, name: str, detail: Detail | None = None, *, interval: float = INTERVAL
) -> Iterator[None]:
    """Beat from a thread of its own inside the `with` block, for synchronous processes."""
    stop = threading.Event()
    arguments = (stop, conninfo, name, detail, interval)
    thread = threading.Thread(target=_beat_until, args=arguments, name=f"heartbeat-{name}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=5)
