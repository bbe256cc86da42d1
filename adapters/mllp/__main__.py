"""`python -m adapters.mllp`: the MLLP listener as a process. SIGTERM ends it within 10 s, with nothing half
done.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import sys

import structlog
import uvloop

from adapters.mllp.server import Listener
from adapters.mllp.settings import MllpSettings
from bus.heartbeat import beat
from bus.inbox import Inbox
from bus.logging import configure
from runtime.settings import Settings, load

log = structlog.get_logger("adapters.mllp")


async def serve(settings: Settings) -> int:
    """Listen until a signal, or until the inbox fails by a fault of ours; return the exit status."""
    told = MllpSettings.of(settings)
    asked_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked_to_stop.set)
    async with Inbox(
        settings.database_url, settings.routing_key, window=told.window, patience=told.patience
    ) as inbox:
        listener = Listener(told, inbox)
        await listener.start()
        beating = asyncio.create_task(
            beat(
                settings.database_url,
                "mllp",
                lambda: {"connections": listener.connections, "queued": inbox.queued},
            )
        )
        stopping = asyncio.create_task(asked_to_stop.wait())
        failing = asyncio.create_task(inbox.ended())
        await asyncio.wait({stopping, failing, beating}, return_when=asyncio.FIRST_COMPLETED)
        await listener.stop()
        beating.cancel()
        if not stopping.done():
            log.error("inbox_failed", exc_info=failing.exception() if failing.done() else None)
            return 1
    return 0


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
    # Messages make no cycles, and looking for some among all that was imported stalls the answers.
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    return uvloop.run(serve(settings))


if __name__ == "__main__":
    sys.exit(main())
