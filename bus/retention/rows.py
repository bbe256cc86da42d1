"""Rows that go by age, some thousands in a transaction: each finds what is left, so that one that was
interrupted simply goes on. Rows of unfinished messages stay.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bus import bodies
from bus.retention.decide import Keep
from bus.retention.partitions import PATIENCE

CHUNK = 10_000
"""Keys in one transaction, at most."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of rows; all its SQL is constants of this module."""

    name: str
    """As `bus.retention.what` has it."""
    table: str
    """Called `t` in the conditions."""
    key: str
    """Column by which rows are found in order and taken away."""
    old: str
    """Condition under which a row is older than `:before`."""
    unneeded: str
    """Condition that nobody needs it any more, whatever its age."""
    take: Sequence[str]
    """Statements that take away the rows of `:keys`."""
    lock: str = ""
    """Taken before the last look, so that no replay begins to need a body before it is taken away."""

    @property
    def find(self) -> str:
        """Return the query of the next keys that may go, from behind `:after`."""
        return (
            f"SELECT DISTINCT t.{self.key} AS key FROM {self.table} AS t"  # noqa: S608 - constants of this module
            f" WHERE t.{self.key} > :after AND {self.old} AND {self.unneeded} ORDER BY 1 LIMIT :limit"
        )


ALL = "true"
FINISHED = "NOT EXISTS (SELECT FROM bus.unfinished u WHERE u.message_id = t.{key})"
# A message that still has a body may be let go again: what it did once is remembered until then.
OVER = f"{FINISHED} AND NOT EXISTS (SELECT FROM bus.body_kept k WHERE k.id = t.{{key}})"
# Ids and times rise together; every table has an index on the message.
EARLIER = "t.{key} < (SELECT bus.inbox_at(:before))"

KEPT_BODIES = Kind(
    "kept_bodies",
    "bus.body_kept",
    "id",
    "t.received_at < :before",
    FINISHED.format(key="id"),
    (
        "DELETE FROM bus.body_kept WHERE id = ANY(:keys)",
        f"INSERT INTO bus.trace (message_id, step) SELECT unnest(CAST(:keys AS bigint[])), '{bodies.STEP}'",
    ),
    lock="LOCK TABLE bus.body_kept IN ACCESS EXCLUSIVE MODE",
)
# What outlived its day; the rest has gone with its partition.
GONE_SENT = (
    "DELETE FROM bus.sent s USING bus.delivery d WHERE d.message_id = ANY(:keys)"
    " AND s.id = d.id AND s.queued_at = d.queued_at"
)
DELIVERIES = Kind(
    "deliveries",
    "bus.delivery",
    "message_id",
    "t.done_at < :before AND " + EARLIER.format(key="message_id"),
    OVER.format(key="message_id"),
    (
        f"{GONE_SENT} AND d.done_at IS NOT NULL",
        "DELETE FROM bus.delivery WHERE message_id = ANY(:keys) AND done_at IS NOT NULL",
    ),
)
REFUSED_BODIES = Kind(
    "refused_bodies",
    "bus.refusal",
    "id",
    "t.at < :before AND t.body IS NOT NULL",
    ALL,
    ("UPDATE bus.refusal SET body = NULL WHERE id = ANY(:keys)",),
)
# That a message was given up is said by its trace alone.
GIVEN_UP = "EXISTS (SELECT FROM bus.trace d WHERE d.message_id = t.message_id AND d.step = 'discarded')"
TRACES = Kind(
    "traces",
    "bus.trace",
    "message_id",
    EARLIER.format(key="message_id"),
    f"{OVER.format(key='message_id')} AND NOT {GIVEN_UP}",
    ("DELETE FROM bus.trace WHERE message_id = ANY(:keys)",),
)
OUTBOX = Kind(
    "outbox",
    "bus.outbox",
    "id",
    "t.delivered_at < :before",
    ALL,
    ("DELETE FROM bus.outbox WHERE id = ANY(:keys)",),
)
REFUSALS = Kind(
    "refusals",
    "bus.refusal",
    "id",
    "t.at < :before",
    ALL,
    ("DELETE FROM bus.refusal WHERE id = ANY(:keys)",),
)
# The poller of tables finds what vanished from its source by what it ever brought.
BROUGHT = "t.protocol <> 'tables'"
INDEX_ROWS = Kind(
    "index_rows",
    "bus.inbox",
    "id",
    EARLIER.format(key="id"),
    f"{OVER.format(key='id')} AND {BROUGHT}",
    (
        "DELETE FROM bus.held WHERE message_id = ANY(:keys)",
        "DELETE FROM bus.numbered WHERE message_id = ANY(:keys)",
        "DELETE FROM bus.trace WHERE message_id = ANY(:keys)",
        GONE_SENT,
        "DELETE FROM bus.delivery WHERE message_id = ANY(:keys)",
        "DELETE FROM bus.inbox WHERE id = ANY(:keys)",
    ),
)
WITH_BODIES = frozenset({DELIVERIES, INDEX_ROWS})
"""What stays as long as there is a partition of its time."""
NOTE = sa.text("INSERT INTO bus.retention (what, until, dropped) VALUES (:what, :until, :dropped)")


def kinds(keep: Keep, now: datetime, oldest: datetime) -> Mapping[Kind, datetime]:
    """Return what goes by age, in order, and the time before which it goes. `oldest`: when the first day that
    still has a partition began.
    """
    ages = (
        (KEPT_BODIES, keep.bodies),
        (DELIVERIES, keep.bodies),
        (REFUSED_BODIES, keep.bodies),
        (TRACES, keep.traces),
        (OUTBOX, keep.index),
        (REFUSALS, keep.index),
        (INDEX_ROWS, keep.index),
    )
    found = {kind: before for kind, days in ages if (before := keep.before(days, now)) is not None}
    return {kind: min(at, oldest) if kind in WITH_BODIES else at for kind, at in found.items()}


def would_go(connection: sa.Connection, kind: Kind, before: datetime) -> int:
    """Count the keys that may go now."""
    counted = sa.text(f"SELECT count(*) FROM ({kind.find}) AS found")  # noqa: S608 - constants of this module
    count: int = connection.execute(counted, {"after": 0, "before": before, "limit": None}).scalar_one()
    return count


def take(engine: sa.Engine, kind: Kind, before: datetime) -> Iterator[int]:
    """Take away what may go; gives the number of keys of each transaction after its commit."""
    after = 0
    while True:
        with engine.begin() as connection:
            keys = _group(connection, kind, before, after)
        if keys:
            yield len(keys)
            after = keys[-1]
        if len(keys) < CHUNK:
            return


def _group(connection: sa.Connection, kind: Kind, before: datetime, after: int) -> list[int]:
    values: dict[str, Any] = {"after": after, "before": before, "limit": CHUNK}
    keys = list(connection.execute(sa.text(kind.find), values).scalars())
    if keys and kind.lock:
        connection.execute(PATIENCE)
        connection.execute(sa.text(kind.lock))
        keys = list(connection.execute(sa.text(kind.find), values).scalars())
    if keys:
        for statement in kind.take:
            connection.execute(sa.text(statement), {"keys": keys})
        connection.execute(NOTE, {"what": kind.name, "until": before, "dropped": len(keys)})
    return keys
