"""`python -m adapters.files`: take the files of every source whose place is set.

`python -m adapters.files check` reads the descriptions and says what would be taken from where.
"""

from __future__ import annotations

import signal
import sys
import threading
from functools import partial
from pathlib import Path

import sqlalchemy as sa
import structlog

from adapters.files.client import open_place
from adapters.files.codec import Reading
from adapters.files.ledger import Ledger
from adapters.files.running import BELOW, Sources, WrongPlaceError
from adapters.files.server import Poller
from adapters.files.settings import Source, sources
from bus import logging, tracing
from bus.heartbeat import beating
from bus.hl7.charset import codec_for
from bus.rules.versions.deciding import deciding
from bus.rules.versions.described import deployed, looking
from consortium.errors import PermanentError, RetryableError, YilianError
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
        engine = looking(settings.database_url, NAME)
        if arguments == ["check"]:
            return _check(settings, _described(settings, engine))
        _poll(settings, engine, stop)
        engine.dispose()
    except YilianError as error:
        log.exception("cannot_start", reason=str(error))
        return 1
    return 0


def _described(settings: Settings, engine: sa.Engine) -> tuple[Source, ...]:
    try:
        with engine.connect() as connection, deciding(connection, settings.rules_dir, BELOW) as folder:
            return sources(folder)
    except sa.exc.OperationalError as error:
        raise RetryableError("the database, which has the deployed rules, cannot be reached") from error


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
        raise PermanentError(f"the source {source.name}: the deployed rules have no campus {source.facility}")
    reading = Reading(source, codec_for(campus.charset), settings.body_limit)
    try:
        place = open_place(settings.file_places[source.name])
    except PermanentError as error:
        raise WrongPlaceError(f"file_places.{source.name}: {error}") from error
    return Poller(reading, place, Ledger(settings, source), _spool(), stop)


def _spool() -> Path:
    path = home() / "spool"
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def _poll(settings: Settings, engine: sa.Engine, stop: threading.Event) -> None:
    look = partial(deployed, engine, settings.rules_dir, BELOW)
    places = frozenset(settings.file_places)
    polled = Sources(look, places, lambda source: _poller(settings, source, stop), stop, settings.roster)
    with beating(settings.database_url, NAME, polled.detail):
        log.info("started", places=len(places))
        polled.run()
    log.info("stopped")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
