"""Stored messages in inbox order, read a page at a time in short read-only transactions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from bus.envelope import Stored

PAGE = 500
BODIES_AT_ONCE = 8 * 1024 * 1024
"""Bytes of bodies in memory at a time; one larger body comes alone."""

# With count(*) the whole range is found by its time; min(id) alone would walk the primary key from its start.
SPAN = sa.text(
    "SELECT min(id) AS first, max(id) AS last, count(*) AS total FROM bus.inbox WHERE received_at >= :since"
    " AND (CAST(:facility AS text) IS NULL OR facility = :facility)"
)
SIZES = sa.text(
    "SELECT id, octet_length(body) AS size FROM bus.inbox WHERE id >= :first AND id <= :last"
    " AND received_at >= :since AND (CAST(:facility AS text) IS NULL OR facility = :facility)"
    " ORDER BY id LIMIT :page"
)
MESSAGES = sa.text(
    "SELECT id, received_at, facility, sender, control_id, message_type, protocol, endpoint, charset,"
    " patient_number, visit_number, message_time, body FROM bus.inbox WHERE id = ANY(:ids) ORDER BY id"
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
            sizes = [(row.id, row.size) for row in connection.execute(SIZES, {**values, "page": PAGE})]
        for ids in _groups(sizes):
            with reading.connect() as connection:
                found = [Stored(**row) for row in connection.execute(MESSAGES, {"ids": ids}).mappings()]
            yield from found
        if len(sizes) < PAGE:
            return
        first = sizes[-1][0] + 1


def read_only(engine: sa.Engine) -> sa.Engine:
    """Return the same pool, every transaction read only."""
    return engine.execution_options(postgresql_readonly=True)


def _groups(sizes: Sequence[tuple[int, int]]) -> Iterator[list[int]]:
    group: list[int] = []
    total = 0
    for id_, size in sizes:
        if group and total + size > BODIES_AT_ONCE:
            yield group
            group, total = [], 0
        group.append(id_)
        total += size
    if group:
        yield group
