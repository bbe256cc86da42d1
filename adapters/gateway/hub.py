"""`python -m adapters.gateway.hub`: takes what gateways forward. SIGTERM ends it within 10 s."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import sqlalchemy as sa
import structlog

from adapters.gateway.callers import Callers
from adapters.gateway.handshake import certified
from adapters.gateway.ledger import Ledger
from adapters.gateway.server import Hub
from adapters.gateway.serving import serving
from adapters.tls import Tls, server_context
from bus.heartbeat import beat
from bus.logging import configure
from consortium.errors import PermanentError
from runtime.settings import Settings, load

NAME = "gateway"
KEEP_ALIVE = 120
"""Seconds that a gateway's connection may be silent: it gives a sign of life more often."""

log = structlog.get_logger("adapters.gateway")


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[tuple[Hub, int]]:
    """Take batches inside the block; give the hub and its port. Raises PermanentError naming a setting."""
    endpoint = settings.gateway_endpoint
    if endpoint is None:
        raise PermanentError("the setting gateway_endpoint is empty: docs/gateway.md says what belongs there")
    engine = _engine(settings.database_url)
    try:
        ledger = Ledger(engine, settings.routing_key, timedelta(days=settings.dedupe_days))
        hub = Hub(ledger, Callers(settings.gateways, engine), settings.body_limit)
        required = bool(settings.gateways) and all(gateway.subject for gateway in settings.gateways)
        context = server_context(Tls(endpoint.certificate, endpoint.key, endpoint.client_ca, required))
        async with serving(
            hub.application(),
            endpoint.host,
            endpoint.port,
            name=NAME,
            wrap=certified(context, hub.no_handshake),
            keep_alive=KEEP_ALIVE,
        ) as port:
            yield hub, port
    finally:
        engine.dispose()


async def serve(settings: Settings) -> int:
    """Serve until a signal."""
    asked_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked_to_stop.set)
    async with opened(settings) as (hub, _):
        beating = asyncio.create_task(beat(settings.database_url, NAME, hub.detail))
        stopping = asyncio.create_task(asked_to_stop.wait())
        await asyncio.wait({stopping, beating}, return_when=asyncio.FIRST_COMPLETED)
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)
    return 0


def _engine(database_url: str) -> sa.Engine:
    url = sa.make_url(database_url).set(drivername="postgresql+psycopg")
    arguments = {"connect_timeout": 5, "application_name": NAME}
    return sa.create_engine(url, pool_pre_ping=True, hide_parameters=True, connect_args=arguments)


def main() -> int:
    """Read the settings and run."""
    configure(NAME)
    try:
        return asyncio.run(serve(load()))
    except PermanentError as error:
        log.error("bad_settings", reason=str(error))  # noqa: TRY400 - the reason says it all
        return 2


if __name__ == "__main__":
    sys.exit(main())
