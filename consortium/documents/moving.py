"""Moves the contents of documents that the bus took in out of PostgreSQL into the documents' store.

Batch by batch, each committed: it may be stopped at any time, goes on where it stopped, and runs beside
everything else. A moved row keeps its SHA-256; whoever reads it finds the content in the store.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa

from consortium.documents import stored
from consortium.documents.content import ContentStore
from consortium.records.query import MOVED

BATCH = 50
"""Contents in one transaction."""

_LEFT = sa.text("SELECT count(*) FROM records.blob WHERE coding <> :moved")
_PAGE = sa.text(
    "SELECT sha256, coding, content FROM records.blob WHERE coding <> :moved AND sha256 > :after"
    " ORDER BY sha256 LIMIT :limit"
)
_EMPTY = sa.text("UPDATE records.blob SET coding = :moved, content = '' WHERE sha256 = ANY(:sha256)")


@dataclass
class Moved:
    """What was moved."""

    contents: int = 0
    bytes: int = 0
    """As they were sent."""


def move(engine: sa.Engine, store: ContentStore, progress: Callable[[int, int], None]) -> Moved:
    """Move everything; `progress` hears how many of how many. Raises StoreAwayError: run it again."""
    with engine.connect() as connection:
        left = connection.execute(_LEFT, {"moved": MOVED}).scalar_one()
    moved, after = Moved(), b""
    while True:
        with engine.begin() as connection:
            stored.hold(connection)
            wanted = {"moved": MOVED, "after": after, "limit": BATCH}
            rows = connection.execute(_PAGE, wanted).all()
            for row in rows:
                data = zlib.decompress(row.content) if row.coding == "zlib" else bytes(row.content)
                store.put(bytes(row.sha256), data)
                moved.bytes += len(data)
            if not rows:
                return moved
            names = [bytes(row.sha256) for row in rows]
            connection.execute(_EMPTY, {"moved": MOVED, "sha256": names})
        moved.contents += len(rows)
        after = names[-1]
        progress(moved.contents, left)
