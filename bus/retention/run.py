"""One run of retention: partitions made ahead, what is old taken away. Killed at any point, the next goes on.

Each day's partition and each group of rows goes in a transaction of its own, together with its line in
`bus.retention`; there is no other state.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime

import psycopg
import sqlalchemy as sa
import structlog

from bus.retention import partitions, rows
from bus.retention.decide import Keep, Partition, beginning, due, today
from bus.retention.partitions import Bodies
from consortium.errors import RetryableError

log = structlog.get_logger("bus.retention")

LOCK = 0x59_69_6C_69_61_6E_14
"""Advisory lock of the one run."""
TAKE = sa.text("SELECT pg_try_advisory_lock(:lock)")
GIVE = sa.text("SELECT pg_advisory_unlock(:lock)")
LAST = sa.text(
    "SELECT what, max(at) AS at, sum(dropped)::bigint AS dropped, sum(spared)::bigint AS spared,"
    " sum(bytes)::bigint AS bytes FROM bus.retention WHERE at > :since GROUP BY what ORDER BY what"
)


class BusyError(RetryableError):
    """Another run is under way."""


@dataclass(frozen=True, slots=True)
class Gone:
    """Something that a run took away, or had to leave."""

    what: str
    """As `bus.retention.what`."""
    count: int
    day: date | None = None
    spared: int = 0
    bytes: int = 0
    put_off: str | None = None
    """Why it was left for a later run."""


@dataclass(frozen=True, slots=True)
class Going:
    """A partition that the next run would drop."""

    partition: Partition
    unfinished: Bodies
    """Of it, what would be spared."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is kept, and what the next run would take away."""

    partitions: Sequence[Partition]
    kept: Bodies
    """What outlived its day's partition."""
    going: Sequence[Going]
    rows: Mapping[str, int]
    """By kind of rows; what is kept for ever is not in it."""


def plan(connection: sa.Connection, keep: Keep, now: datetime) -> Plan:
    """Say what the next run would do, and change nothing."""
    days = partitions.partitions(connection)
    going = [Going(one, partitions.unfinished(connection, one.day)) for one in due(days, keep, now)]
    left = [one for one in days if one not in {gone.partition for gone in going}]
    ages = rows.kinds(keep, now, _oldest(left, now))
    counts = {kind.name: rows.would_go(connection, kind, before) for kind, before in ages.items()}
    return Plan(days, partitions.kept(connection), going, counts)


def run(engine: sa.Engine, keep: Keep, now: datetime) -> Generator[Gone, None, None]:
    """Take away what is old; gives each part after its commit. Raises `BusyError`."""
    with _alone(engine):
        try:
            for made in partitions.make_ahead(engine, now):
                log.info("partition_made", day=made.isoformat())
        except sa.exc.OperationalError as error:
            yield Gone("bodies", 0, today(now), put_off=_busy(error))
        with engine.connect() as connection:
            known = partitions.partitions(connection)
        for one in due(known, keep, now):
            gone = _drop(engine, one.day)
            log.info("retention", **_told(gone))
            yield gone
        with engine.connect() as connection:
            oldest = _oldest(partitions.partitions(connection), now)
        for kind, before in rows.kinds(keep, now, oldest).items():
            yield from _take(engine, kind, before)


def _drop(engine: sa.Engine, day: date) -> Gone:
    try:
        done = partitions.drop(engine, day)
    except sa.exc.OperationalError as error:
        return Gone("bodies", 0, day, put_off=_busy(error))
    if done is None:
        return Gone("bodies", 0, day, put_off="too many of its messages are not finished: see messages list")
    return Gone("bodies", done.dropped, day, done.spared, done.bytes)


def _take(engine: sa.Engine, kind: rows.Kind, before: datetime) -> Iterator[Gone]:
    try:
        for count in rows.take(engine, kind, before):
            log.info("retention", what=kind.name, count=count)
            yield Gone(kind.name, count)
    except sa.exc.OperationalError as error:
        yield Gone(kind.name, 0, put_off=_busy(error))


def _busy(error: sa.exc.OperationalError) -> str:
    """Return why something is left for the next run. Raises the error again unless it is a lock's."""
    if not isinstance(error.orig, psycopg.errors.LockNotAvailable):
        raise error
    return "others are reading: tried again by the next run"


def _oldest(days: Sequence[Partition], now: datetime) -> datetime:
    return beginning(min((one.day for one in days), default=today(now)))


def _told(gone: Gone) -> dict[str, object]:
    told: dict[str, object] = {"what": gone.what, "count": gone.count, "spared": gone.spared}
    return told | {"day": str(gone.day), "bytes": gone.bytes, "put_off": gone.put_off}


@contextmanager
def _alone(engine: sa.Engine) -> Iterator[None]:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if not connection.execute(TAKE, {"lock": LOCK}).scalar_one():
            raise BusyError("retention is running already: look again in a minute")
        try:
            yield
        finally:
            connection.execute(GIVE, {"lock": LOCK})


def last(connection: sa.Connection, since: datetime) -> list[Mapping[str, object]]:
    """Return what was taken away since a time, by kind."""
    return [dict(row) for row in connection.execute(LAST, {"since": since}).mappings()]
