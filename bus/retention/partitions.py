"""The partitions of bodies: which there are, making them ahead, dropping a day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa

from bus.retention.decide import MOST_SPARED, Partition, beginning, to_make

LIST = sa.text(
    "SELECT to_date(right(c.relname, 8), 'YYYYMMDD') AS day, greatest(c.reltuples, 0)::bigint AS bodies,"
    " pg_total_relation_size(c.oid) + coalesce(pg_total_relation_size(to_regclass('bus.sent_'"
    " || right(c.relname, 8))), 0) AS bytes FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
    " WHERE i.inhparent = 'bus.body'::regclass AND c.relname ~ '^body_[0-9]{8}$' ORDER BY 1"
)
KEPT = sa.text(
    "SELECT count(*) AS bodies, pg_total_relation_size('bus.body_kept') AS bytes FROM bus.body_kept"
)
UNFINISHED = sa.text(
    "SELECT count(*) AS bodies, coalesce(sum(octet_length(body)), 0)::bigint AS bytes FROM bus.body"
    " WHERE id IN (SELECT message_id FROM bus.unfinished) AND received_at >= :since AND received_at < :until"
)
MAKE = sa.text("SELECT bus.make_body_day(:day)")
PATIENCE = sa.text("SET LOCAL lock_timeout = '500ms'")
DROP = sa.text("SELECT dropped, spared, bytes FROM bus.drop_body_day(:day)")
DROP_SENT = sa.text("SELECT dropped, spared, bytes FROM bus.drop_sent_day(:day)")
NOTE = sa.text(
    "INSERT INTO bus.retention (what, since, until, dropped, spared, bytes)"
    " VALUES (:what, :since, :until, :dropped, :spared, :bytes)"
)


@dataclass(frozen=True, slots=True)
class Bodies:
    """A number of bodies and their bytes."""

    bodies: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Dropped:
    """What became of the partition of a day."""

    dropped: int
    spared: int
    """Bodies of unfinished messages, moved to `bus.body_kept`."""
    bytes: int
    """Given back to the disk."""


def partitions(connection: sa.Connection) -> list[Partition]:
    """Return the days that have a partition, the oldest first."""
    return [Partition(**row) for row in connection.execute(LIST).mappings()]


def kept(connection: sa.Connection) -> Bodies:
    """Return what outlived its day's partition."""
    return Bodies(**connection.execute(KEPT).mappings().one())


def unfinished(connection: sa.Connection, day: date) -> Bodies:
    """Return how many of a day's bodies are of messages that are not finished."""
    values = {"since": beginning(day), "until": beginning(day + timedelta(days=1))}
    return Bodies(**connection.execute(UNFINISHED, values).mappings().one())


def make_ahead(engine: sa.Engine, now: datetime) -> list[date]:
    """Make the partitions of today and the days to come; returns the days made."""
    with engine.connect() as connection:
        missing = to_make([one.day for one in partitions(connection)], now)
    made = []
    for day in missing:
        with engine.begin() as connection:
            connection.execute(PATIENCE)
            if connection.execute(MAKE, {"day": day}).scalar_one():
                made.append(day)
    return made


def drop(engine: sa.Engine, day: date) -> Dropped | None:
    """Drop a day's partition of bodies, and that of what was sent, in one transaction; None when too much of
    the bodies is of unfinished messages.

    Raises sqlalchemy's OperationalError when its locks cannot be had for half a second, in which nobody else
    gets at them either: nothing is changed, try again later.
    """
    with engine.begin() as connection:
        if unfinished(connection, day).bytes > MOST_SPARED:
            return None
        connection.execute(PATIENCE)
        values = {"since": beginning(day), "until": beginning(day + timedelta(days=1))}
        done = connection.execute(DROP, {"day": day}).mappings().one()
        connection.execute(NOTE, {**values, **done, "what": "bodies"})
        sent = connection.execute(DROP_SENT, {"day": day}).mappings().one()
        if sent["dropped"] or sent["spared"]:
            connection.execute(NOTE, {**values, **sent, "what": "sent"})
    return Dropped(done["dropped"], done["spared"], done["bytes"] + sent["bytes"])
