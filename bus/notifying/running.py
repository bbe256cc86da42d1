"""Notifications sent from threads beside an existing process: one spreads requests, one is for each channel.

They run in the worker, whose other work nobody waits for either. Of several workers one owns a channel.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import sqlalchemy as sa
import structlog

from bus.notifying.current import CurrentBook
from bus.notifying.line import CONNECTIONS, IDLE, Line
from bus.notifying.port import Port
from bus.notifying.preparing import Preparing
from bus.notifying.rows import Rows
from bus.notifying.spreading import expire, spread
from consortium.errors import YilianError
from consortium.notifications.model import Channel
from runtime.campuses import Campus

log = structlog.get_logger("bus.notifying")


@dataclass(frozen=True)
class Notifying:
    """What is needed to send."""

    database_url: str
    rules_dir: Path
    """Where templates are before the first set is deployed."""
    campuses: Callable[[], Sequence[Campus]]
    ports: Mapping[Channel, Port]
    """By channel; what is asked for through another waits in its queue."""
    links: Sequence[str] = ()
    """Beginnings of our own addresses."""

    def book(self) -> CurrentBook:
        """Return the templates, for one thread."""
        return CurrentBook(self.rules_dir, self.links)

    def engine(self) -> sa.Engine:
        """Return a pool for the threads; its error texts hide parameters."""
        each = CONNECTIONS + 2
        return sa.create_engine(
            sa.make_url(self.database_url).set(drivername="postgresql+psycopg"),
            pool_size=2,
            max_overflow=each * max(1, len(self.ports)),
            pool_pre_ping=True,
            hide_parameters=True,
            connect_args={"connect_timeout": 5, "application_name": "notifying"},
        )

    def line(self, engine: sa.Engine, channel: Channel) -> Line:
        """Return the line of a channel."""
        port = self.ports[channel]
        rows = Rows(engine, channel)
        return Line(Preparing(channel, rows, self.book(), self.campuses, port.keys_seconds), port, engine)


def spreading(engine: sa.Engine, book: CurrentBook) -> int:
    """Spread what waits, in one transaction, and let go what is late; returns how many requests."""
    with engine.begin() as connection:
        expire(connection)
        return spread(connection, book.get(connection))


def _spread_on(engine: sa.Engine, book: CurrentBook, stop: threading.Event) -> None:
    failing = False
    while not stop.is_set():
        done = 0
        try:
            done = spreading(engine, book)
            failing = False
        except (sa.exc.SQLAlchemyError, YilianError, OSError) as error:
            if not failing:
                log.warning("spreading_interrupted", error=type(error).__name__)
            failing = True
        if not done:
            stop.wait(IDLE)


@contextmanager
def notifying(told: Notifying) -> Iterator[None]:
    """Send from threads of their own inside the `with` block."""
    stop, engine = threading.Event(), told.engine()
    tasks: dict[str, Callable[[], None]] = {"spread": partial(_spread_on, engine, told.book(), stop)}
    for channel in told.ports:
        tasks[channel.value] = partial(told.line(engine, channel).run, stop)
    threads = [
        threading.Thread(target=task, name=f"notifying-{name}", daemon=True) for name, task in tasks.items()
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(timeout=7)
        for port in told.ports.values():
            port.close()
        engine.dispose()
