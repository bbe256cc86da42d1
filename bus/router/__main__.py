"""`python -m bus.router`: answer doorbells until SIGTERM."""

from __future__ import annotations

import gc
import signal
import threading

import sqlalchemy as sa
import structlog

from bus import logging, tracing
from bus.gauges import AWAY_REASON, AWAY_SECONDS
from bus.heartbeat import beating
from bus.router import arrays
from bus.router.consumer import RabbitConsumer
from bus.router.effects import Services
from bus.router.loop import Loop
from bus.router.router import Router
from bus.rules.versions.service import ensure_first
from bus.rules.versions.shelf import Shelf
from bus.topology import DEAD_QUEUE, queue_name
from consortium.documents.guarded import Guarded
from consortium.errors import PermanentError
from consortium.records.query import STORE
from runtime import settings
from runtime.contents import opened_store

log = structlog.get_logger("bus.router")
DATABASE_PAUSE = 0.5
"""Seconds between two looks for a database that is away at the start."""


def shares(options: settings.Settings) -> list[list[str]]:
    """Spread this process's queues over its threads; the first part also takes the dead letters.

    Raises PermanentError when there are fewer parts than its own.
    """
    part, parts, numbers = options.router_part, len(options.routers), range(options.queues)
    if part > parts:
        raise PermanentError(f"router_part is {part}, and router_processes and queues make {parts} parts")
    if part:
        numbers = numbers[part - 1 :: parts]
    threads = min(options.router_threads, len(numbers))
    spread = [[queue_name(n) for n in numbers[place::threads]] for place in range(threads)]
    if part <= 1:
        spread[0].append(DEAD_QUEUE)
    return spread


def opened(rules: Shelf, engine: sa.Engine, options: settings.Settings, stop: threading.Event) -> bool:
    """Load the active rule set, the checkout's on a fresh database; wait for a database that is away.

    Returns False when `stop` was set meanwhile. Raises PermanentError when no set can be loaded.
    """
    while not stop.is_set():
        try:
            ensure_first(engine, options.rules_dir)
            rules.open()
        except sa.exc.OperationalError as error:
            log.warning("router_interrupted", error=type(error).__name__, retry_in=DATABASE_PAUSE)
            stop.wait(DATABASE_PAUSE)
        else:
            return True
    return False


def main(options: settings.Settings) -> None:
    """Run until SIGTERM or SIGINT."""
    url = sa.make_url(options.database_url).set(drivername="postgresql+psycopg")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    spread = shares(options)
    store = Guarded(opened_store(options))
    engine = sa.create_engine(
        url,
        pool_size=len(spread),
        pool_pre_ping=True,
        connect_args={"application_name": "router"},
        execution_options={STORE: store},
    )
    arrays.use(engine)
    rules = Shelf(engine)
    if not opened(rules, engine, options, stop):
        return
    routers = [Router(engine, rules, Services(), routing_key=options.routing_key) for _ in spread]
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

    def detail() -> dict[str, int | float | str]:
        counts = {"recorded": sum(r.recorded for r in routers), "held": sum(r.held for r in routers)}
        trouble = store.trouble()
        found: dict[str, int | float | str] = {**counts, **rules.detail()}
        return found | {AWAY_SECONDS: trouble.seconds, AWAY_REASON: trouble.reason} if trouble else found

    # What was imported lives as long as the process; each batch makes what lives as long as the batch.
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    with beating(options.database_url, settings.router_name(options.router_part), detail):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


if __name__ == "__main__":
    loaded = settings.load()
    logging.configure(settings.router_name(loaded.router_part))
    tracing.configure("router", loaded.otlp_endpoint, loaded.trace_ratio)
    main(loaded)
