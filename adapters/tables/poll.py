"""Reading a window of a table, page by page, into the inbox."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from adapters.tables import codec
from adapters.tables.marks import Mark, position, value_of
from adapters.tables.recent import Recent
from adapters.tables.rows import Position, Row
from adapters.tables.settings import Campus, Table
from bus.envelope import Arrival, Outcome, Receipt

BEGINNING = datetime(1900, 1, 1, tzinfo=UTC)
"""Where a poller without a watermark begins: it loads all there is."""


class Pages(Protocol):
    """What is read: `adapters.tables.client.Source`."""

    campus: Campus

    def page(self, table: Table, after: Position, until: datetime, limit: int) -> list[Row]:
        """Return the next rows."""
        ...


class Inbox(Protocol):
    """Where it goes: `adapters.tables.store.Store`."""

    def accept(self, arrivals: Sequence[Arrival], mark: Mark | None) -> list[Receipt]:
        """Commit arrivals and watermark together."""
        ...


class Marked(Inbox, Protocol):
    """An inbox that remembers watermarks."""

    def mark(self, poller: str) -> dict[str, str] | None:
        """Return a poller's watermark."""
        ...


@dataclass(frozen=True, slots=True)
class Counts:
    """What a window held, and what became of it. `read` is rows; the others are messages."""

    read: int = 0
    """Rows of the source in the window."""
    stored: int = 0
    """Messages new to the inbox."""
    duplicate: int = 0
    """Messages the inbox had already: no second effect."""
    conflict: int = 0
    """Known control ids with other content: stored and held."""

    def __add__(self, other: Counts) -> Counts:
        """Add two counts."""
        return Counts(
            self.read + other.read,
            self.stored + other.stored,
            self.duplicate + other.duplicate,
            self.conflict + other.conflict,
        )


def count(read: int, receipts: Sequence[Receipt]) -> Counts:
    """Count what the inbox said of `read` rows."""
    outcomes = [receipt.outcome for receipt in receipts]
    return Counts(
        read,
        outcomes.count(Outcome.STORED),
        outcomes.count(Outcome.DUPLICATE),
        outcomes.count(Outcome.CONFLICT),
    )


def poll_window(
    source: Pages, inbox: Inbox, table: Table, since: datetime, until: datetime, *, limit: int | None = None
) -> Counts:
    """Load the rows whose watermark lies in [since, until), at most `limit`; no watermark is saved."""
    return _read(source, inbox, table, Position(since), until, _Options(limit=limit))


def follow(
    source: Pages,
    inbox: Marked,
    table: Table,
    until: datetime,
    *,
    recent: Recent | None = None,
    go_on: Callable[[], bool] = lambda: True,
) -> Counts:
    """Load what changed since the saved watermark, and an overlap before it, up to `until`.

    The watermark moves with each page, in the page's transaction, so a restart at any point loses nothing; it
    never moves back. `go_on` is asked between pages.
    """
    poller = name(source.campus, table)
    saved = inbox.mark(poller)
    reached = position(saved) if saved else None
    after = Position(reached.at - source.campus.overlap_time) if reached else Position(BEGINNING)
    return _read(source, inbox, table, after, until, _Options(poller, reached, recent, go_on))


def name(campus: Campus, table: Table) -> str:
    """Return the name under which a table's watermark is kept."""
    return f"tables/{campus.facility}/{table.name}"


@dataclass(frozen=True, slots=True)
class _Options:
    poller: str | None = None
    """Whose watermark moves; None: nobody's."""
    reached: Position | None = None
    """Where it stands."""
    recent: Recent | None = None
    go_on: Callable[[], bool] = lambda: True
    limit: int | None = None


def _read(
    source: Pages, inbox: Inbox, table: Table, after: Position, until: datetime, options: _Options
) -> Counts:
    total, size = Counts(), source.campus.page
    while options.go_on():
        wanted = size if options.limit is None else min(size, options.limit - total.read)
        rows = source.page(table, after, until, wanted) if wanted > 0 else []
        if rows:
            after = rows[-1].position
            total += _store(source.campus, inbox, table, rows, options)
        if len(rows) < size:
            break
    return total


def _store(campus: Campus, inbox: Inbox, table: Table, rows: Sequence[Row], options: _Options) -> Counts:
    arrivals = [codec.arrival(campus, table, row) for row in rows]
    fresh = options.recent.unknown(arrivals) if options.recent else arrivals
    mark = _mark(rows[-1].position, options)
    receipts = inbox.accept(fresh, mark) if fresh or mark else []
    if options.recent:
        options.recent.learn(fresh)
    return count(len(rows), receipts)


def _mark(place: Position, options: _Options) -> Mark | None:
    if options.poller is None or (options.reached is not None and place <= options.reached):
        return None
    return Mark(options.poller, value_of(place))
