"""`python -m adapters.tables`: poll the open tables of every campus whose database is set."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import structlog

from adapters.tables.client import Source
from adapters.tables.server import Poller
from adapters.tables.settings import Campus, campuses
from adapters.tables.store import Store
from bus import logging, tracing
from bus.heartbeat import beating
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
        described = [campus for campus in campuses() if campus.known_url(settings)]
        _poll(settings, described, stop)
    except YilianError as error:
        log.exception("cannot_start", reason=str(error))
        return 1
    return 0


def _poll(settings: Settings, described: list[Campus], stop: threading.Event) -> None:
    with ExitStack() as opened:
        pollers = []
        for campus in described:
            source = opened.enter_context(Source(campus, campus.url(settings)))
            store = opened.enter_context(Store(settings))
            pollers.append(Poller(campus, source, store, stop))

        def detail() -> Mapping[str, Any]:
            return {poller.campus.facility: poller.detail() for poller in pollers}

        opened.enter_context(beating(settings.database_url, NAME, detail))
        log.info("started", count=len(pollers))
        threads = [threading.Thread(target=poller.run, name=poller.campus.facility) for poller in pollers]
        for thread in threads:
            thread.start()
        stop.wait()
        for thread in threads:
            thread.join()
    log.info("stopped")


if __name__ == "__main__":
    sys.exit(main())
