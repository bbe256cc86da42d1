"""`python -m bus.delivery`: deliver to other systems until SIGTERM, which ends it within 10 s.

The root where the ways of sending, which are adapters, meet the queue; nothing imports it.
"""

from __future__ import annotations

import asyncio
import signal
from functools import partial
from pathlib import Path

import sqlalchemy as sa
import structlog

from adapters import via
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
from bus.master_data.running import tell
from bus.master_data.telling import Teller
from bus.rules.destinations import (
    AnyDestination,
    FilesDestination,
    MllpDestination,
    PixV3Destination,
    RestDestination,
    SoapDestination,
    TablesDestination,
    WebhookDestination,
)
from bus.rules.versions.described import deployed, looking
from bus.rules.versions.destinations import BELOW, CurrentDestinations
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
    secrets, name = options.delivery_secrets, via.pseudonym(options.consortium_oid)
    match spec:
        case MllpDestination():
            if spec.sequence:
                return NumberedTransport(spec, StoredNumbers(options.database_url, spec.name))
            return MllpTransport(spec) if spec.batch is None else BatchedTransport(spec)
        case WebhookDestination():
            return WebhookTransport(spec, secret_of(secrets, spec.secret), name=name)
        case RestDestination():
            return RestTransport(spec, secrets, name)
        case SoapDestination():
            from adapters.soap.outbound import SoapTransport

            return SoapTransport(spec, folder, secrets, name)
        case TablesDestination():
            from adapters.tables.outbound import TablesTransport

            return TablesTransport(spec, secret_of(secrets, spec.database))
        case FilesDestination():
            from adapters.files.outbound import FilesTransport

            return FilesTransport(spec, _place(options, spec))
        case PixV3Destination():
            from adapters.ihe.outbound import PixV3Transport

            return PixV3Transport(spec, secrets, name)


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
    queueing = _engine(options)
    teller = Teller(options, queueing, CurrentDestinations(options.rules_dir).get)
    beside = [
        asyncio.create_task(beat(options.database_url, "delivery", lines.detail)),
        asyncio.create_task(tell(teller)),
    ]
    try:
        with following(options, engine):
            await lines.run(stop)
    finally:
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        queueing.dispose()
        engine.dispose()


def _engine(options: settings.Settings) -> sa.Engine:
    """Return by what master data is queued for its subscribers: one transaction at a time."""
    return sa.create_engine(
        sa.make_url(options.database_url).set(drivername="postgresql+psycopg"),
        pool_size=1,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={"connect_timeout": 3, "application_name": "master data"},
    )


if __name__ == "__main__":
    logging.configure("delivery")
    loaded = settings.load()
    tracing.configure("delivery", loaded.otlp_endpoint, loaded.trace_ratio)
    asyncio.run(main(loaded))
