"""`python -m activities`: the Temporal worker and the outbox dispatcher, until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import signal

from activities.worker import serve
from bus.logging import configure
from runtime.ending import end
from runtime.settings import load


async def main() -> None:
    """Serve until told to stop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await serve(load(), stop)


if __name__ == "__main__":
    configure("worker")
    asyncio.run(main())
    end(0)
