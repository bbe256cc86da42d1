"""`python -m adapters.mllp`: the MLLP listener as a process. SIGTERM ends it within 10 s, with nothing half
done.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from collections.abc import Sequence
from typing import Any

import structlog
import uvloop

from adapters.mllp.sequence import Ledger
from adapters.mllp.server import Listener
from adapters.mllp.settings import MllpSettings
from bus import tracing
from bus.campuses.following import following
from bus.heartbeat import beat
from bus.inbox import Inbox
from bus.logging import configure
from bus.rules.versions.described import looking
from consortium.errors import PermanentError
from runtime.settings import Settings, load

log = structlog.get_logger("adapters.mllp")


async def serve(settings: Settings) -> int:
    """Listen until a signal, or until the inbox fails by a fault of ours; return the exit status."""
    engine = looking(settings.database_url, "mllp-campuses")
    try:
        with following(settings, engine):
            return await _serve(settings)
    finally:
        engine.dispose()


async def _serve(settings: Settings) -> int:
    told = MllpSettings.every(settings)
    asked_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked_to_stop.set)
    async with Inbox(
        settings.database_url, settings.routing_key, window=told[0].window, patience=told[0].patience
    ) as inbox:
        ledger = Ledger(settings.database_url)
        listeners = [Listener(each, inbox, ledger=ledger) for each in told]
        for listener in listeners:
            await listener.start()
        beating = asyncio.create_task(
            beat(settings.database_url, "mllp", lambda: {"queued": inbox.queued, **detail(listeners)})
        )
        stopping = asyncio.create_task(asked_to_stop.wait())
        failing = asyncio.create_task(inbox.ended())
        await asyncio.wait({stopping, failing, beating}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.gather(*(listener.stop() for listener in listeners))
        await ledger.close()
        beating.cancel()
        if not stopping.done():
            log.error("inbox_failed", exc_info=failing.exception() if failing.done() else None)
            return 1
    return 0


def detail(listeners: Sequence[Listener]) -> dict[str, Any]:
    """Return the counts of the plain listener, and under its name those of each other."""
    plain, *others = listeners
    return {**plain.detail(), **{other.settings.endpoint: other.detail() for other in others}}


def main() -> int:
    """Read the settings and run."""
    configure("mllp")
    settings = load()
    if not settings.database_url:
        log.error(
            "no_database",
            reason="the setting database_url is empty; run ./yilian up or set YILIAN_DATABASE_URL",
        )
        return 2
    tracing.configure("mllp", settings.otlp_endpoint, settings.trace_ratio)
    # Messages make no cycles, and looking for some among all that was imported stalls the answers.
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    try:
        return uvloop.run(serve(settings))
    except PermanentError as error:  # a certificate or charset in the settings
        log.error("bad_settings", reason=str(error))  # noqa: TRY400 - the reason says it all
        return 2
    except OSError as error:
        reason = f"{error.strerror or error}: see mllp_port and mllp_endpoints"
        log.error("cannot_listen", reason=reason)  # noqa: TRY400 - as above
        return 1


if __name__ == "__main__":
    sys.exit(main())
