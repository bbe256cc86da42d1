"""`python -m adapters.files`: take the files of every source whose place is set.

`python -m adapters.files check` reads the descriptions and says what would be taken from where.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import structlog

from adapters.files.client import open_place
from adapters.files.codec import Reading
from adapters.files.ledger import Ledger
from adapters.files.server import Poller
from adapters.files.settings import Source, sources
from bus import logging, tracing
from bus.heartbeat import beating
from bus.hl7.charset import codec_for
from consortium.errors import PermanentError, YilianError
from runtime.settings import Settings, home, load

NAME = "files"

log = structlog.get_logger("adapters.files")


def main(arguments: list[str]) -> int:
    """Run until SIGTERM or SIGINT; return the exit code."""
    logging.configure(NAME)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    try:
        settings = load()
        tracing.configure(NAME, settings.otlp_endpoint, settings.trace_ratio)
        described = sources(settings.rules_dir)
        if arguments == ["check"]:
            return _check(settings, described)
        pollers = [_poller(settings, one, stop) for one in described if one.name in settings.file_places]
        _poll(settings, pollers, stop)
    except YilianError as error:
        log.exception("cannot_start", reason=str(error))
        return 1
    return 0


def _check(settings: Settings, described: tuple[Source, ...]) -> int:
    for source in described:
        place = settings.file_places.get(source.name)
        if place:
            open_place(place).close()
        where = place.url if place else f"no place: set file_places.{source.name}"
        sys.stdout.write(f"{source.name}  {source.facility}  {source.pattern}  {where}\n")
    return 0


def _poller(settings: Settings, source: Source, stop: threading.Event) -> Poller:
    campus = settings.campus(source.facility)
    if campus is None:
        raise PermanentError(
            f"the source {source.name}: there is no campus {source.facility} in the settings"
        )
    reading = Reading(source, codec_for(campus.charset), settings.body_limit)
    try:
        place = open_place(settings.file_places[source.name])
    except PermanentError as error:
        raise PermanentError(f"file_places.{source.name}: {error}") from error
    return Poller(reading, place, Ledger(settings, source), _spool(), stop)


def _spool() -> Path:
    path = home() / "spool"
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def _poll(settings: Settings, pollers: list[Poller], stop: threading.Event) -> None:
    def detail() -> Mapping[str, Any]:
        return {"sources": len(pollers), **{one.source.name: one.detail() for one in pollers}}

    with ExitStack() as opened:
        opened.enter_context(beating(settings.database_url, NAME, detail))
        log.info("started", count=len(pollers))
        threads = opened.enter_context(ThreadPoolExecutor(max(1, len(pollers)), "source"))
        running = [threads.submit(one.run) for one in pollers]
        for each in running:
            each.add_done_callback(lambda _ended: stop.set())
        stop.wait()
        for each in running:
            each.result()  # a fault of ours ends the process: its supervisor starts it again
    log.info("stopped")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
