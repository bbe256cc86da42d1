"""How notifications are doing, in numbers by channel: for metrics and alerts. No patient data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

_OPEN = sa.text(
    "SELECT channel, state, count(*) FROM workflow.dispatch WHERE done_at IS NULL GROUP BY 1, 2 ORDER BY 1, 2"
)
_STUCK = sa.text(
    "SELECT channel, count(*) AS stuck, count(*) FILTER (WHERE state = 'ambiguous') AS ambiguous"
    " FROM workflow.dispatch WHERE done_at IS NULL AND state IN ('ambiguous', 'parked') GROUP BY 1 ORDER BY 1"
)
_LATE = sa.text(
    "SELECT channel, extract(epoch FROM clock_timestamp()"
    " - min(greatest(created_at, not_before, decided_at)))::float8"
    " FROM workflow.dispatch WHERE done_at IS NULL AND state = 'queued'"
    " AND (not_before IS NULL OR not_before <= clock_timestamp()) GROUP BY 1 ORDER BY 1"
)
_UNSPREAD = sa.text(
    "SELECT extract(epoch FROM clock_timestamp() - min(created_at))::float8 FROM workflow.notification"
    " WHERE spread_at IS NULL"
)
SPREADING = "spreading"
"""Stands for the channel of what has not been spread to channels yet."""


@dataclass(frozen=True, slots=True)
class Stuck:
    """What of a channel waits for a person."""

    channel: str
    stuck: int
    ambiguous: int


@dataclass(frozen=True, slots=True)
class Figures:
    """The numbers of one moment."""

    counts: Sequence[tuple[str, str, int]]
    """Channel, state, dispatches that are not done."""
    stuck: Sequence[Stuck]
    late: Sequence[tuple[str, float]]
    """Channel, seconds that the oldest has been due and was not sent."""


def read(connection: sa.Connection) -> Figures:
    """Ask for every number."""
    return Figures(
        [(channel, state, count) for channel, state, count in connection.execute(_OPEN)],
        stuck(connection),
        late(connection),
    )


def stuck(connection: sa.Connection) -> list[Stuck]:
    """Return what waits for a person, by channel."""
    return [Stuck(**row) for row in connection.execute(_STUCK).mappings()]


def late(connection: sa.Connection) -> list[tuple[str, float]]:
    """Return for how long the oldest is due, by channel, and what is not spread."""
    found = [(channel, seconds) for channel, seconds in connection.execute(_LATE)]
    unspread = connection.execute(_UNSPREAD).scalar_one()
    return found if unspread is None else [*found, (SPREADING, unspread)]
