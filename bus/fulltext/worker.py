"""The index of documents kept current from a thread beside an existing process.

It runs in the worker, which nobody waits for: reading a PDF costs CPU. What is stored while it is away is on
the list, and is read when it is back.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
import structlog

from bus.fulltext.indexer import Indexer
from bus.repeating import repeating
from consortium.documents.content import ContentStore
from consortium.records.query import STORE

log = structlog.get_logger("bus.fulltext")

LOOK = 1.0
"""Seconds between looks when nothing waits."""


@contextmanager
def indexing(database_url: str, store: ContentStore) -> Iterator[None]:
    """Read documents from a thread of its own inside the `with` block."""
    engine = sa.create_engine(
        sa.make_url(database_url).set(drivername="postgresql+psycopg"),
        pool_size=1,
        max_overflow=1,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={"connect_timeout": 5, "application_name": "fulltext"},
        execution_options={STORE: store},
    )
    indexer, stop = Indexer(engine, store), threading.Event()

    def once() -> None:
        while indexer.once() and not stop.is_set():
            continue

    try:
        with repeating("fulltext", LOOK, once, _interrupted, stop):
            yield
    finally:
        engine.dispose()


def _interrupted(error: Exception) -> None:
    log.warning("fulltext_interrupted", error=type(error).__name__)
