"""`python -m bus.delivery`: deliver to other systems until SIGTERM, which ends it within 10 s.

The root where the ways of sending, which are adapters, meet the queue; nothing imports it.
"""

from __future__ import annotations

import asyncio
import signal
from functools import partial
from pathlib import Path

import structlog

from adapters.mllp.batched import BatchedTransport
from adapters.mllp.numbered import NumberedTransport
from adapters.mllp.numbers import StoredNumbers
from adapters.mllp.outbound import MllpTransport
from adapters.rest.outbound import RestTransport
from adapters.rest.webhook import WebhookTransport
from bus import logging, tracing
from bus.campuses.following import following
from bus.delivery.building import Building
from bus.delivery.lines import Lines
from bus.delivery.transport import Transport, secret_of
from bus.fhir.systems import Systems
from bus.heartbeat import beat
from bus.rules.destinations import (
    AnyDestination,
    FilesDestination,
    MllpDestination,
    RestDestination,
    SoapDestination,
    TablesDestination,
    WebhookDestination,
)
from bus.rules.versions.described import deployed, looking
from bus.rules.versions.destinations import BELOW
from consortium.errors import PermanentError
from runtime import settings

log = structlog.get_logger("bus.delivery")


def connect(options: settings.Settings, spec: AnyDestination, folder: Path) -> Transport:
    """Return the way to a destination; `folder` holds what its file pins, and is read now alone.

    Raises PermanentError when something of it is missing.
    """
    return Building(_transport(options, spec, folder), spec, Systems(options))


def _transport(options: settings.Settings, spec: AnyDestination, folder: Path) -> Transport:
    # What only some ways need is imported for them: zeep and the drivers of databases take memory.
    secrets = options.delivery_secrets
    match spec:
        case MllpDestination():
            if spec.sequence:
                return NumberedTransport(spec, StoredNumbers(options.database_url, spec.name))
            return MllpTransport(spec) if spec.batch is None else BatchedTransport(spec)
        case WebhookDestination():
            return WebhookTransport(spec, secret_of(secrets, spec.secret))
        case RestDestination():
            return RestTransport(spec, secrets)
        case SoapDestination():
            from adapters.soap.outbound import SoapTransport

            return SoapTransport(spec, folder, secrets)
        case TablesDestination():
            from adapters.tables.outbound import TablesTransport

            return TablesTransport(spec, secret_of(secrets, spec.database))
        case FilesDestination():
            from adapters.files.outbound import FilesTransport

            return FilesTransport(spec, _place(options, spec))


def _place(options: settings.Settings, spec: FilesDestination) -> settings.FilePlace:
    found = options.file_places.get(spec.place)
    if found is None:
        raise PermanentError(
            f"its place {spec.place!r} is not set: write [file_places.{spec.place}] with url in"
            f" settings.toml, or set YILIAN_FILE_PLACES__{spec.place.upper()}__URL; then start delivery again"
        )
    return found


async def main(options: settings.Settings) -> None:
    """Deliver until told to stop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    engine = looking(options.database_url, "delivery")
    look = partial(deployed, engine, options.rules_dir, BELOW)
    lines = Lines(look, options.database_url, partial(connect, options))
    beating = asyncio.create_task(beat(options.database_url, "delivery", lines.detail))
    try:
        with following(options, engine):
            await lines.run(stop)
    finally:
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)
        engine.dispose()


if __name__ == "__main__":
    logging.configure("delivery")
    loaded = settings.load()
    tracing.configure("delivery", loaded.otlp_endpoint, loaded.trace_ratio)
    asyncio.run(main(loaded))
