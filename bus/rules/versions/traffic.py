"""Stored messages in inbox order, read a page at a time in short read-only transactions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bus import bodies
from bus.envelope import Stored
from bus.rules.ruleset import RuleSet

PAGE = 500
BODIES_AT_ONCE = 8 * 1024 * 1024
"""Bytes of bodies in memory at a time; one larger body comes alone."""

# With count(*) the whole range is found by its time; min(id) alone would walk the primary key from its start.
SPAN = sa.text(
    "SELECT min(id) AS first, max(id) AS last, count(*) AS total FROM bus.inbox WHERE received_at >= :since"
    " AND (CAST(:facility AS text) IS NULL OR facility = :facility)"
)
SIZES = sa.text(
    "SELECT id, received_at, size FROM bus.inbox WHERE id >= :first AND id <= :last"
    " AND received_at >= :since AND (CAST(:facility AS text) IS NULL OR facility = :facility)"
    " ORDER BY id LIMIT :page"
)


@dataclass(frozen=True, slots=True)
class Span:
    """The messages of a backtest: fixed at its beginning, whatever arrives meanwhile."""

    since: datetime
    facility: str | None
    first: int
    last: int
    count: int


def span(engine: sa.Engine, since: datetime, *, facility: str | None = None, after: int = 0) -> Span:
    """Return what is stored since a time; `after`: an earlier backtest came as far as that message."""
    values = {"since": since, "facility": facility}
    with read_only(engine).connect() as connection:
        row = connection.execute(SPAN, values).one()
    return Span(since, facility, max(row.first or 0, after + 1), row.last or 0, row.total)


def read(engine: sa.Engine, span: Span) -> Iterator[Stored]:
    """Give the messages of a span in inbox order. No transaction stays open between two groups."""
    first, reading = span.first, read_only(engine)
    while True:
        values = {"first": first, "last": span.last, "since": span.since, "facility": span.facility}
        with reading.connect() as connection:
            page = connection.execute(SIZES, {**values, "page": PAGE}).all()
        for group in _groups(page):
            with reading.connect() as connection:
                found = bodies.read(connection, group)
            yield from found
        if len(page) < PAGE:
            return
        first = page[-1].id + 1


def read_only(engine: sa.Engine) -> sa.Engine:
    """Return the same pool, every transaction read only."""
    return engine.execution_options(postgresql_readonly=True)


def take_additions(engine: sa.Engine, *sets: RuleSet) -> None:
    """Give each set the codes that people mapped while the bus ran, as the router has them. All sets have the
    same.
    """
    with read_only(engine).begin() as connection:
        for rules in sets:
            rules.additions.refresh(connection)


def _groups(page: Sequence[Any]) -> Iterator[list[tuple[int, datetime]]]:
    group: list[tuple[int, datetime]] = []
    total = 0
    for row in page:
        if group and total + row.size > BODIES_AT_ONCE:
            yield group
            group, total = [], 0
        group.append((row.id, row.received_at))
        total += row.size
    if group:
        yield group
