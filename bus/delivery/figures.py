"""How delivery is doing, in numbers by destination: for metrics and alerts. No patient data.

Every statement reads an index of open rows, or a bounded part of the last hour's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from bus.delivery.breaker import Position
from bus.delivery.control import Mode
from bus.delivery.decide import State

RECENT = 1000
"""Deliveries of a destination over which times are told, the newest of the last hour."""
QUANTILES = ("0.5", "0.95", "0.99")
STUCK = (State.PARKED, State.AMBIGUOUS)
"""They wait for a person."""

NAMES = (
    "WITH RECURSIVE name (destination) AS ("
    " (SELECT destination FROM bus.delivery ORDER BY destination LIMIT 1) UNION ALL"
    " SELECT (SELECT destination FROM bus.delivery WHERE destination > name.destination"
    " ORDER BY destination LIMIT 1) FROM name WHERE name.destination IS NOT NULL)"
)
"""Every destination that has a row, by one look into the index for each."""
QUEUED = sa.text(
    "SELECT destination, 'queued' AS state, count(*) AS number FROM bus.delivery"
    " WHERE done_at IS NULL AND state = 'queued' GROUP BY 1"
)
ON_THE_WAY = sa.text(
    "SELECT destination, state, count(*) AS number FROM bus.delivery"
    " WHERE done_at IS NULL AND state <> 'queued' GROUP BY 1, 2"
)
# One that was resent waits since then. It keeps its place in the queue, hence more than the first is read.
OLDEST = sa.text(
    f"{NAMES} SELECT name.destination, extract(epoch FROM clock_timestamp() - min(head.since))::float8"  # noqa: S608 - a constant
    " FROM name CROSS JOIN LATERAL (SELECT greatest(queued_at, decided_at) AS since FROM bus.delivery d"
    " WHERE d.destination = name.destination AND d.done_at IS NULL AND d.state = 'queued'"
    " ORDER BY d.id LIMIT 100) head GROUP BY 1"
)
TIMES = sa.text(
    f"{NAMES} SELECT name.destination, count(*) AS number,"  # noqa: S608 - a constant
    " percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY newest.queued) AS queued,"
    " percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY newest.ack) AS ack"
    " FROM name CROSS JOIN LATERAL (SELECT extract(epoch FROM d.sent_at - d.queued_at)::float8 AS queued,"
    " extract(epoch FROM d.answered_at - d.sent_at)::float8 AS ack FROM bus.delivery d"
    " WHERE d.destination = name.destination AND d.state = 'delivered'"
    " AND d.done_at > clock_timestamp() - interval '1 hour' ORDER BY d.done_at DESC LIMIT :recent) newest"
    " GROUP BY 1"
)
BREAKERS = sa.text(
    "SELECT key, value ->> 'breaker' FROM bus.heartbeat, jsonb_each(detail)"
    " WHERE name = 'delivery' AND at > clock_timestamp() - interval '20 seconds'"
    " AND value ->> 'breaker' = ANY(:positions)"
)
MODES = sa.text("SELECT name, mode FROM bus.destination")


@dataclass(frozen=True, slots=True)
class Standing:
    """What alerts watch of one destination."""

    name: str
    oldest: float = 0.0
    """Seconds that the first of its queue has waited; 0 when nothing is queued."""
    stuck: int = 0
    """Parked and ambiguous."""
    open: bool | None = None
    """Whether its breaker is not closed; None: no process delivers to it."""
    mode: Mode = Mode.RUNNING


@dataclass(frozen=True, slots=True)
class Times:
    """Of the newest that were delivered within an hour, seconds by quantile."""

    queued: Mapping[str, float]
    ack: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Figures:
    """The numbers of one moment."""

    counts: Sequence[tuple[str, str, int]] = ()
    """Destination, state, open deliveries."""
    standings: Sequence[Standing] = ()
    times: Mapping[str, Times] = field(default_factory=dict)


def read(connection: sa.Connection) -> Figures:
    """Ask for every number."""
    others = _counts(connection, ON_THE_WAY)
    return Figures(
        counts=sorted([*_counts(connection, QUEUED), *others]),
        standings=_standings(connection, others),
        times={
            row.destination: Times(_by_quantile(row.queued), _by_quantile(row.ack))
            for row in connection.execute(TIMES, {"recent": RECENT})
        },
    )


def standings(connection: sa.Connection) -> list[Standing]:
    """Return what alerts watch, by name; however long the queues are, they are not counted."""
    return _standings(connection, _counts(connection, ON_THE_WAY))


def _standings(connection: sa.Connection, counts: Sequence[tuple[str, str, int]]) -> list[Standing]:
    stuck: dict[str, int] = {}
    for name, state, number in counts:
        if state in STUCK:
            stuck[name] = stuck.get(name, 0) + number
    oldest: dict[str, float] = _mapping(connection, OLDEST)
    breakers: dict[str, str] = _mapping(connection, BREAKERS, positions=[one.value for one in Position])
    modes: dict[str, str] = _mapping(connection, MODES)
    return [
        Standing(
            name,
            oldest.get(name, 0.0),
            stuck.get(name, 0),
            breakers[name] != Position.CLOSED if name in breakers else None,
            Mode(modes.get(name, Mode.RUNNING)),
        )
        for name in sorted({*stuck, *oldest, *breakers, *modes})
    ]


def _counts(connection: sa.Connection, query: sa.TextClause) -> list[tuple[str, str, int]]:
    return [(row.destination, row.state, row.number) for row in connection.execute(query)]


def _mapping(connection: sa.Connection, query: sa.TextClause, **values: object) -> dict[str, Any]:
    return {row[0]: row[1] for row in connection.execute(query, values)}


def _by_quantile(seconds: Sequence[float | None] | None) -> dict[str, float]:
    if seconds is None:  # none of them has the time, as of messages that had no row for a table
        return {}
    return {name: one for name, one in zip(QUANTILES, seconds, strict=True) if one is not None}
