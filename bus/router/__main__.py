"""`python -m bus.router`: answer doorbells until SIGTERM."""

from __future__ import annotations

import signal
import threading

import sqlalchemy as sa

from bus import logging, tracing
from bus.heartbeat import beating
from bus.router.consumer import RabbitConsumer
from bus.router.effects import Services
from bus.router.loop import Loop
from bus.router.router import Router
from bus.rules.ruleset import RuleSet
from bus.topology import DEAD_QUEUE, queue_name
from runtime import settings


def shares(options: settings.Settings) -> list[list[str]]:
    """Spread the queues over the threads; the first also takes the dead letters."""
    numbers = list(options.router_queues) or list(range(options.queues))
    threads = min(options.router_threads, len(numbers))
    spread = [[queue_name(n) for n in numbers[place::threads]] for place in range(threads)]
    spread[0].append(DEAD_QUEUE)
    return spread


def main(options: settings.Settings) -> None:
    """Run until SIGTERM or SIGINT."""
    rules = RuleSet.load(options.rules_dir)
    url = sa.make_url(options.database_url).set(drivername="postgresql+psycopg")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    spread = shares(options)
    engine = sa.create_engine(
        url, pool_size=len(spread), pool_pre_ping=True, connect_args={"application_name": "router"}
    )
    routers = [Router(engine, rules, Services()) for _ in spread]
    threads = [
        threading.Thread(
            target=Loop(
                lambda names=names: RabbitConsumer.connect(options.amqp_url, names, options.queues),  # type: ignore[misc]
                engine,
                router,
                options.router_batch,
                stop,
            ).run,
            name=f"router-{place}",
        )
        for place, (names, router) in enumerate(zip(spread, routers, strict=True))
    ]

    def detail() -> dict[str, int]:
        return {"recorded": sum(r.recorded for r in routers), "held": sum(r.held for r in routers)}

    with beating(options.database_url, "router", detail):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


if __name__ == "__main__":
    logging.configure("router")
    tracing.configure("router")
    main(settings.load())
