"""Rebuilding the index of documents: text from every content, searched columns from what was submitted.

Batch by batch, each committed with how far it is: it may be stopped at any time, goes on where it stopped,
and runs beside everything else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from bus.fulltext.indexer import Indexer
from consortium.documents import indexing, rebuilding
from consortium.documents.indexing import RECORDED, SHARED

BATCH = 50

Progress = Callable[[int, int], None]
"""Hears how many documents are done, of how many."""


@dataclass
class Rebuilt:
    """What a rebuild did."""

    documents: int = 0
    resumed_at: int = 0
    """Of them, those done before it was stopped."""
    heads: int = 0
    """Registered documents whose searched columns were wrong."""
    orphans: int = 0
    """Texts of what is no document any more, taken away."""


def rebuild(indexer: Indexer, progress: Progress, *, again: bool = False) -> Rebuilt:
    """Rebuild everything, or go on with what was stopped; `again`: from the beginning all the same, and with
    those that were given up, which may end the process.

    Raises StoreAwayError: run it again.
    """
    with indexer.engine.begin() as connection:
        before = None if again else rebuilding.unfinished(connection)
        if before is None:
            rebuilding.begin(connection, RECORDED, datetime.now(UTC))
    rebuilt = Rebuilt(resumed_at=before.done if before else 0, documents=before.done if before else 0)
    while _batch(indexer, rebuilt, progress, again):
        continue
    with indexer.engine.begin() as connection:
        indexing.take(connection)
        rebuilt.orphans = rebuilding.end(connection, datetime.now(UTC))
    return rebuilt


def _batch(indexer: Indexer, rebuilt: Rebuilt, progress: Progress, again: bool) -> bool:
    """Rebuild some documents; False when there are no more."""
    with indexer.engine.begin() as connection:
        indexing.take(connection)
        now = rebuilding.unfinished(connection)
        if now is None:
            return False
        ids = rebuilding.page(connection, now.source, now.after, BATCH)
        if not ids and now.source == SHARED:
            return False
        if not ids:
            rebuilding.advance(connection, SHARED, None, now.done)
            return True
        wrong = rebuilding.head(connection, ids) if now.source == SHARED else 0
        left = set() if again else indexing.given_up(connection, ids)
        indexer.read(connection, now.source, [id_ for id_ in ids if id_ not in left], anew=True)
        done = now.done + len(ids)
        rebuilding.advance(connection, now.source, ids[-1], done)
    rebuilt.documents, rebuilt.heads = done, rebuilt.heads + wrong
    progress(done, max(now.total, done))
    return True
