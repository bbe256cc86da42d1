"""`python -m adapters.tables`: poll the open tables of every campus whose database is set."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import structlog

from adapters.tables.client import Source
from adapters.tables.running import BELOW, Campuses
from adapters.tables.server import Poller
from adapters.tables.settings import Campus
from adapters.tables.store import Store
from bus import logging, tracing
from bus.heartbeat import beating
from bus.rules.versions.described import deployed, looking
from consortium.errors import YilianError
from runtime.settings import Settings, load

NAME = "tables"

log = structlog.get_logger("adapters.tables")


def main() -> int:
    """Run until SIGTERM or SIGINT; return the exit code."""
    logging.configure(NAME)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    try:
        settings = load()
        tracing.configure(NAME, settings.otlp_endpoint, settings.trace_ratio)
        _poll(settings, stop)
    except YilianError as error:
        log.exception("cannot_start", reason=str(error))
        return 1
    return 0


@contextmanager
def _opened(settings: Settings, campus: Campus, stop: threading.Event) -> Iterator[Poller]:
    with Source(campus, campus.url(settings)) as source, Store(settings) as store:
        yield Poller(campus, source, store, stop)


def _poll(settings: Settings, stop: threading.Event) -> None:
    engine = looking(settings.database_url, NAME)
    polled = Campuses(
        partial(deployed, engine, settings.rules_dir, BELOW),
        settings.rules_dir,
        lambda campus: bool(campus.known_url(settings)),
        partial(_opened, settings),
        stop,
    )
    with beating(settings.database_url, NAME, polled.detail):
        log.info("started")
        polled.run()
    engine.dispose()
    log.info("stopped")


if __name__ == "__main__":
    sys.exit(main())
