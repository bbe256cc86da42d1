"""`python -m bus.relay`: publish the inbox to the broker until SIGTERM."""

from __future__ import annotations

import asyncio
import signal

import uvloop

from bus import heartbeat, logging, tracing
from bus.relay.publisher import RabbitPublisher
from bus.relay.relay import Pace, Relay
from runtime import settings


async def run(options: settings.Settings) -> None:
    """Relay until SIGTERM or SIGINT."""
    relay = Relay(
        options.database_url,
        lambda: RabbitPublisher.connect(options.amqp_url, options.queues),
        Pace(republish=options.republish_seconds),
    )

    def detail() -> dict[str, int | bool]:
        return {"leading": relay.leading, "published": relay.published}

    tasks = [
        asyncio.create_task(relay.run()),
        asyncio.create_task(heartbeat.beat(options.database_url, "relay", detail)),
    ]
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lambda: [task.cancel() for task in tasks])
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    for task in done:
        if not task.cancelled():
            task.result()


if __name__ == "__main__":
    logging.configure("relay")
    options = settings.load()
    tracing.configure("relay", options.otlp_endpoint, options.trace_ratio)
    uvloop.run(run(options))
