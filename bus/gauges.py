"""How the bus is doing, in some numbers: for metrics and for alerts. Names and counts, no patient data.

Every statement reads a small table, or a bounded part of a large one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from bus.delivery import figures
from bus.delivery.figures import Figures
from bus.notifying import figures as notifying

RECENT = 1000
"""Messages over which the latency is told."""

QUEUE_AGE = sa.text(
    "SELECT coalesce(max(extract(epoch FROM clock_timestamp() - greatest(i.received_at, r.at))), 0)::float8"
    " FROM (SELECT id FROM bus.work WHERE state = 0 ORDER BY id LIMIT 100) w JOIN bus.inbox i USING (id)"
    " LEFT JOIN LATERAL (SELECT max(at) AS at FROM bus.replayed WHERE message_id = w.id) r ON true"
)
RELAY_LAG = sa.text(
    "SELECT coalesce(max(extract(epoch FROM clock_timestamp()"
    " - greatest(i.received_at, w.not_before, r.at))), 0)::float8"
    " FROM (SELECT id, not_before FROM bus.work WHERE state = 0 AND published_at IS NULL"
    " AND (not_before IS NULL OR not_before <= now()) ORDER BY id LIMIT 100) w JOIN bus.inbox i USING (id)"
    " LEFT JOIN LATERAL (SELECT max(at) AS at FROM bus.replayed WHERE message_id = w.id) r ON true"
)
WORK = sa.text(
    "SELECT i.facility, i.message_type,"
    " CASE w.state WHEN 0 THEN 'ready' WHEN 2 THEN 'waiting' ELSE 'held' END, count(*)"
    " FROM bus.work w JOIN bus.inbox i USING (id) GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
)
RECEIVED = sa.text(
    "SELECT facility, message_type, sum(messages)::bigint FROM bus.system GROUP BY 1, 2 ORDER BY 1, 2"
)
HELD = sa.text(
    "SELECT i.facility, h.code, count(*) FROM bus.held h JOIN bus.inbox i ON i.id = h.message_id"
    " WHERE h.released_at IS NULL GROUP BY 1, 2 ORDER BY 1, 2"
)
REFUSED = sa.text(
    "SELECT coalesce(facility, 'unknown'), code, count(*) FROM bus.refusal"
    " WHERE at > clock_timestamp() - interval '1 day' GROUP BY 1, 2 ORDER BY 1, 2"
)
UNMAPPED = sa.text(
    "SELECT facility, code_table, count(*), sum(count)::bigint,"
    " count(*) FILTER (WHERE first_at > clock_timestamp() - interval '1 day')"
    " FROM bus.unmapped GROUP BY 1, 2 ORDER BY 1, 2"
)
BEATS = sa.text(
    "SELECT name, extract(epoch FROM clock_timestamp() - at)::float8 FROM bus.heartbeat ORDER BY 1"
)
AWAY_SECONDS, AWAY_REASON = "documents_store_away_seconds", "documents_store_away"
"""In the detail of a router's heartbeat: since when it cannot put what documents hold, and why."""
STORE_AWAY = sa.text(
    "SELECT (detail->>CAST(:seconds AS text))::float8 AS seconds, detail->>CAST(:reason AS text) AS reason"
    " FROM bus.heartbeat WHERE detail ? CAST(:seconds AS text)"
    " AND at > clock_timestamp() - interval '1 minute' ORDER BY 1 DESC LIMIT 1"
)
SCHEDULE_TO_START = sa.text(
    "SELECT key, value::float8 FROM bus.heartbeat, jsonb_each_text(detail->'schedule_to_start')"
    " WHERE name = 'worker' AND detail ? 'schedule_to_start' AND at > clock_timestamp() - interval '1 minute'"
    " ORDER BY 1"
)
LATENCY = sa.text(
    "SELECT percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY seconds), count(*) FROM ("
    " SELECT extract(epoch FROM t.at - i.received_at)::float8 AS seconds"
    " FROM (SELECT id, received_at FROM bus.inbox ORDER BY id DESC LIMIT :recent) i"
    " CROSS JOIN LATERAL (SELECT at FROM bus.trace WHERE message_id = i.id AND step = 'recorded'"
    " ORDER BY at LIMIT 1) t) s"
)
SILENCE = sa.text(
    "SELECT facility, extract(epoch FROM clock_timestamp() - max(last_seen))::float8 FROM bus.system"
    " WHERE facility <> 'GROUP'"  # our own notices to others: no campus
    " GROUP BY 1 ORDER BY 1"
)
# The bound is found once, by a query of its own: beside a column it was sought anew for each row.
ERRORS = sa.text(
    "WITH bound AS MATERIALIZED (SELECT bus.inbox_at(now() - make_interval(secs => :window)) AS id),"
    " held AS (SELECT i.facility, count(DISTINCT i.id) AS count FROM bus.held h"
    " JOIN bus.inbox i ON i.id = h.message_id"
    " WHERE h.released_at IS NULL AND h.message_id >= (SELECT id FROM bound) GROUP BY 1),"
    " received AS (SELECT facility, count(*) AS count FROM bus.inbox WHERE id >= (SELECT id FROM bound)"
    " GROUP BY 1),"
    " refused AS (SELECT facility, count(*) AS count FROM bus.refusal"
    " WHERE at > now() - make_interval(secs => :window) AND facility IS NOT NULL GROUP BY 1)"
    " SELECT facility, coalesce(received.count, 0), coalesce(held.count, 0), coalesce(refused.count, 0)"
    " FROM received FULL JOIN refused USING (facility) LEFT JOIN held USING (facility) ORDER BY 1"
)
OUTBOX = sa.text(
    "SELECT destination, count(*), extract(epoch FROM clock_timestamp() - min(created_at))::float8"
    " FROM bus.outbox WHERE delivered_at IS NULL GROUP BY 1 ORDER BY 1"
)
QUANTILES = ("0.5", "0.95", "0.99")


@dataclass(frozen=True, slots=True)
class Unmapped:
    """The codes of one table that a campus sent and no table knows."""

    facility: str
    table: str
    codes: int
    occurrences: int
    new: int
    """Codes seen for the first time within a day."""


@dataclass(frozen=True, slots=True)
class Gauges:
    """The numbers of one moment."""

    queue_age: float
    """Seconds that the oldest ready work has waited."""
    relay_lag: float
    """Seconds that the oldest unpublished work has waited."""
    received: Sequence[tuple[str, str, int]]
    """Campus, type, messages since the beginning."""
    work: Sequence[tuple[str, str, str, int]]
    """Campus, type, state (ready, waiting, held), messages."""
    held: Sequence[tuple[str, str, int]]
    """Campus, code, messages."""
    refused: Sequence[tuple[str, str, int]]
    """Campus, code, refusals within a day."""
    unmapped: Sequence[Unmapped]
    beats: Sequence[tuple[str, float]]
    """Process, seconds since its last sign of life."""
    latency: Sequence[tuple[str, float]]
    """Quantile, seconds from acknowledged to recorded, of the newest messages that are recorded."""
    outbox: Sequence[tuple[str, int, float]]
    """Destination, events not delivered, seconds that the oldest waits."""
    delivery: Figures
    notifications: notifying.Figures
    schedule_to_start: Sequence[tuple[str, float]] = ()
    """Task queue and kind of task, 95th percentile of the seconds that tasks wait for a worker."""


def read(connection: sa.Connection) -> Gauges:
    """Ask for every number."""
    quantiles, _ = connection.execute(LATENCY, {"recent": RECENT}).one()
    return Gauges(
        queue_age=queue_age(connection),
        relay_lag=connection.execute(RELAY_LAG).scalar_one(),
        received=_rows(connection, RECEIVED),
        work=_rows(connection, WORK),
        held=_rows(connection, HELD),
        refused=_rows(connection, REFUSED),
        unmapped=unmapped(connection),
        beats=beats(connection),
        latency=list(zip(QUANTILES, quantiles or (), strict=False)),
        outbox=_rows(connection, OUTBOX),
        delivery=figures.read(connection),
        notifications=notifying.read(connection),
        schedule_to_start=schedule_to_start(connection),
    )


def queue_age(connection: sa.Connection) -> float:
    """Return the seconds that the oldest ready message has waited since it came or was replayed."""
    age: float = connection.execute(QUEUE_AGE).scalar_one()
    return age


def unmapped(connection: sa.Connection) -> list[Unmapped]:
    """Return the codes that no table knows, counted by campus and table."""
    return [Unmapped(*row) for row in connection.execute(UNMAPPED)]


def beats(connection: sa.Connection) -> list[tuple[str, float]]:
    """Return each process and the seconds since its last sign of life."""
    return _rows(connection, BEATS)


@dataclass(frozen=True, slots=True)
class StoreAway:
    """That the documents' store takes nothing."""

    seconds: float
    reason: str


def store_away(connection: sa.Connection) -> StoreAway | None:
    """Return for how long a router has not been able to put what documents hold; None: all can."""
    row = connection.execute(STORE_AWAY, {"seconds": AWAY_SECONDS, "reason": AWAY_REASON}).one_or_none()
    return None if row is None else StoreAway(row.seconds, row.reason)


def schedule_to_start(connection: sa.Connection) -> list[tuple[str, float]]:
    """Return how long tasks of workflows wait for a worker, by queue and kind, as the worker told last."""
    return _rows(connection, SCHEDULE_TO_START)


def silence(connection: sa.Connection) -> list[tuple[str, float]]:
    """Return each campus that ever sent, and the seconds since it did last."""
    return _rows(connection, SILENCE)


def errors(connection: sa.Connection, window: float) -> list[tuple[str, int, int, int]]:
    """Return campus, messages taken within `window` seconds, how many of those are held, and refusals."""
    return _rows(connection, ERRORS, {"window": window})


def _rows(connection: sa.Connection, query: sa.TextClause, values: dict[str, Any] | None = None) -> list[Any]:
    return [tuple(row) for row in connection.execute(query, values or {})]
