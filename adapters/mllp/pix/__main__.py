"""`python -m adapters.mllp.pix`: the identity endpoint as a process. SIGTERM ends it within 10 s, with
nothing half done.
"""

from __future__ import annotations

import asyncio
import signal
import sys

import sqlalchemy as sa
import structlog
import uvloop

from adapters.mllp.pix.replies import THREADS, PixReplies
from adapters.mllp.pix.settings import Subjects, pix_settings
from adapters.mllp.server import Listener
from bus import tracing
from bus.campuses.following import following
from bus.heartbeat import beat
from bus.inbox import Inbox
from bus.logging import configure
from bus.pix.manager import Manager
from bus.pix.notices.notifier import Notifier
from bus.pix.notices.running import Told, notify
from consortium.errors import PermanentError
from runtime.settings import Settings, load

log = structlog.get_logger("adapters.mllp.pix")


def engine_of(settings: Settings) -> sa.Engine:
    """Return a pool over the platform's database; its error texts hide parameters, which are patient data."""
    return sa.create_engine(
        settings.database_url.replace("postgresql://", "postgresql+psycopg://", 1),
        pool_size=THREADS,
        max_overflow=1,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={"connect_timeout": 5, "application_name": "pix"},
    )


async def serve(settings: Settings) -> None:
    """Listen until a signal."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    engine = engine_of(settings)
    try:
        with following(settings, engine.execution_options(isolation_level="AUTOCOMMIT")):
            await _until(stop, settings, engine)
    finally:
        engine.dispose()


async def _until(stop: asyncio.Event, settings: Settings, engine: sa.Engine) -> None:
    told = pix_settings(settings)
    manager = Manager(settings, engine, endpoint=told.endpoint)
    subjects = Subjects(settings.pix.applications)
    async with Inbox(settings.database_url, settings.routing_key, patience=told.patience) as inbox:
        listener = Listener(told, inbox, replies=lambda one: PixReplies(one, manager, subjects))
        await listener.start()
        tasks = [
            asyncio.create_task(beat(settings.database_url, "pix", listener.detail)),
            asyncio.create_task(notify(Notifier(settings, engine), Told(engine, settings.rules_dir))),
        ]
        try:
            await stop.wait()
        finally:
            await listener.stop()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def main() -> int:
    """Read the settings and run."""
    configure("pix")
    settings = load()
    if not settings.database_url:
        log.error(
            "no_database",
            reason="the setting database_url is empty; run ./yilian up or set YILIAN_DATABASE_URL",
        )
        return 2
    tracing.configure("pix", settings.otlp_endpoint, settings.trace_ratio)
    try:
        uvloop.run(serve(settings))
    except PermanentError as error:  # a certificate or charset in the settings
        log.error("bad_settings", reason=str(error))  # noqa: TRY400 - the reason says it all
        return 2
    except OSError as error:
        log.error("cannot_listen", reason=f"{error.strerror or error}: see pix_port")  # noqa: TRY400 - as above
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
