"""Which messages fit: every filter answered by an index, in inbox order, a page at a time.

PostgreSQL walks an index in order only when the columns before the order are fixed. So a filter that leaves
the campus open is asked campus by campus, of the few that there are, and the answers are merged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from consortium.errors import PermanentError


class State(StrEnum):
    """Where a message is."""

    STORED = "stored"
    PUBLISHED = "published"
    RECORDED = "recorded"
    HELD = "held"
    CONFLICT = "conflict"
    """Held, because its control id was used before with other content."""
    WAITING = "waiting"
    """Behind a held one of the same patient."""
    DISCARDED = "discarded"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Filters:
    """What to look for; None: everything."""

    facility: str | None = None
    message_type: str | None = None
    control_id: str | None = None
    patient_number: str | None = None
    visit_number: str | None = None
    state: State | None = None
    code: str | None = None
    """Why it is held or was refused, such as unmapped_code."""
    rule: str | None = None
    """The rule that recorded it, or for which it is held."""
    since: datetime | None = None
    until: datetime | None = None
    number: str | None = None
    """Of an order, report, document, charge or appointment, as the rules found it in what was recorded."""
    text: str | None = None
    """Part of the reason or its code."""

    @property
    def empty(self) -> bool:
        """Whether everything fits."""
        return all(getattr(self, field.name) is None for field in fields(self))


class UnfitFilterError(PermanentError):
    """Filters that nothing can fit together."""


inbox = sa.table(
    "inbox",
    *map(sa.column, ("id", "received_at", "facility", "sender", "control_id", "generation", "message_type")),
    *map(sa.column, ("protocol", "endpoint", "charset", "patient_number", "visit_number", "message_time")),
    sa.column("size"),
    schema="bus",
)
work = sa.table("work", *map(sa.column, ["id", "state", "published_at", "blocked_by"]), schema="bus")
held = sa.table(
    "held", *map(sa.column, ["id", "message_id", "code", "reason", "rule", "released_at"]), schema="bus"
)
trace = sa.table("trace", *map(sa.column, ["message_id", "at", "step", "detail"]), schema="bus")
numbered = sa.table("numbered", *map(sa.column, ["number", "message_id"]), schema="bus")
_ends = trace.alias("ends")
LAST_END = (
    sa.select(_ends.c.step)
    .where(_ends.c.message_id == inbox.c.id, _ends.c.step.in_(("recorded", "discarded")))
    .order_by(_ends.c.at.desc())
    .limit(1)
    .correlate(inbox)
    .scalar_subquery()
)
"""How a message that is not at work ended last."""

CAMPUSES = sa.text(
    "WITH RECURSIVE c AS ((SELECT facility FROM bus.inbox ORDER BY facility LIMIT 1) UNION ALL"
    " SELECT (SELECT facility FROM bus.inbox WHERE facility > c.facility ORDER BY facility LIMIT 1)"
    " FROM c WHERE c.facility IS NOT NULL) SELECT facility FROM c WHERE facility IS NOT NULL"
)
SENDERS = sa.text(
    "WITH RECURSIVE pairs AS ("
    " (SELECT facility, sender FROM bus.inbox ORDER BY facility, sender LIMIT 1) UNION ALL"
    " SELECT n.facility, n.sender FROM pairs p CROSS JOIN LATERAL ("
    " SELECT facility, sender FROM bus.inbox WHERE (facility, sender) > (p.facility, p.sender)"
    " ORDER BY facility, sender LIMIT 1) n) SELECT facility, sender FROM pairs"
)
"""Who sends at all, by hops through the unique index."""
TYPES = sa.text(
    "WITH RECURSIVE pairs AS ("
    " (SELECT facility, message_type FROM bus.inbox ORDER BY facility, message_type LIMIT 1) UNION ALL"
    " SELECT n.facility, n.message_type FROM pairs p CROSS JOIN LATERAL ("
    " SELECT facility, message_type FROM bus.inbox WHERE (facility, message_type) > (p.facility,"
    " p.message_type) ORDER BY facility, message_type LIMIT 1) n) SELECT facility, message_type FROM pairs"
)
"""What comes from where, by hops through the index of types."""
BOUND = sa.text("SELECT bus.inbox_at(:at)")
LATE = timedelta(minutes=10)
"""Ids are given before their commit: a time's place among them is only nearly exact."""
NEWEST = 2**63 - 1
HELD_STATES = frozenset({State.HELD, State.CONFLICT})
CONFLICT = "control_id_conflict"


@dataclass(frozen=True, slots=True)
class Window:
    """Ids between `low` and `high`, both left out."""

    low: int = 0
    high: int = NEWEST
    newest_first: bool = True


def find_ids(connection: sa.Connection, filters: Filters, window: Window, limit: int) -> list[int]:
    """Return the ids of messages that fit, in order, at most `limit`."""
    if filters.state is State.REFUSED:
        return []
    window = _within(connection, filters, window)
    select = _pending(filters, window) if _is_pending(filters) else None
    if select is None and filters.rule is not None:
        select = _by_rule(filters, window, limit)
    if select is None and filters.state is State.DISCARDED:
        select = _given_up(filters, window)
    if select is None:
        select = _merged(connection, filters, window, limit)
    if select is None:
        return []
    return list(connection.execute(_page(select, window, limit)).scalars())


def _page(select: sa.Select[Any], window: Window, limit: int) -> sa.Select[Any]:
    """Order by the first column, which is the message's id."""
    id_ = next(iter(select.selected_columns))
    return select.order_by(id_.desc() if window.newest_first else id_).limit(limit)


def _within(connection: sa.Connection, filters: Filters, window: Window) -> Window:
    low, high = window.low, window.high
    if filters.since is not None:
        low = max(low, connection.execute(BOUND, {"at": filters.since - LATE}).scalar_one() - 1)
    if filters.until is not None:
        high = min(high, connection.execute(BOUND, {"at": filters.until + LATE}).scalar_one())
    return Window(low, high, window.newest_first)


def _is_pending(filters: Filters) -> bool:
    pending = {State.STORED, State.PUBLISHED, State.HELD, State.CONFLICT, State.WAITING}
    return filters.state in pending or filters.code is not None or filters.text is not None


def _bounds(id_: sa.ColumnElement[int], window: Window) -> list[sa.ColumnElement[bool]]:
    """Return the window's conditions on the column that is walked.

    No others: PostgreSQL takes any bound on the inbox's id for one that leaves few rows, and reads them all.
    """
    bounds = [id_ > window.low] if window.low > 0 else []
    return bounds + ([id_ < window.high] if window.high < NEWEST else [])


def _conditions(filters: Filters) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    for name in ("facility", "message_type", "control_id", "patient_number", "visit_number"):
        value = getattr(filters, name)
        if value is not None:
            conditions.append(inbox.c[name] == value)
    if filters.since is not None:
        conditions.append(inbox.c.received_at >= filters.since)
    if filters.until is not None:
        conditions.append(inbox.c.received_at < filters.until)
    if filters.number is not None:
        named = sa.select(numbered.c.message_id).where(numbered.c.number == filters.number)
        conditions.append(inbox.c.id.in_(named))
    return conditions


def _pending(filters: Filters, window: Window) -> sa.Select[Any]:
    """From the work that is open: few rows beside the inbox."""
    source: sa.FromClause = work
    conditions = [*_bounds(work.c.id, window), *_of_message(filters)]
    if filters.state in HELD_STATES or filters.state is None or filters.rule is not None:
        source = source.join(held, sa.and_(held.c.message_id == work.c.id, held.c.released_at.is_(None)))
        conditions += _reasons(filters)
    if filters.state is State.WAITING:
        conditions.append(work.c.state == 2)
        conditions += [sa.false()] if filters.code not in (None, "waiting") or filters.text else []
    elif filters.state in (State.STORED, State.PUBLISHED):
        published = work.c.published_at.is_not(None)
        conditions += [work.c.state == 0, published if filters.state is State.PUBLISHED else ~published]
        conditions += [sa.false()] if filters.code or filters.text else []
    else:
        conditions.append(work.c.state.in_((1, 3)))
    return sa.select(work.c.id).select_from(source).where(*conditions)


def _of_message(filters: Filters) -> list[sa.ColumnElement[bool]]:
    """Return what the message itself must fit, looked at as the work is walked: as a join PostgreSQL expects
    next to none to fit, and looks at all of them first.
    """
    wanted = _conditions(filters)
    if not wanted:
        return []
    fits = sa.select(sa.and_(*wanted)).select_from(inbox).where(inbox.c.id == work.c.id).correlate(work)
    return [fits.scalar_subquery().is_(sa.true())]


def _reasons(filters: Filters) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if filters.state is State.CONFLICT:
        conditions.append(held.c.code == CONFLICT)
    if filters.state is State.HELD:
        conditions.append(held.c.code != CONFLICT)
    if filters.code is not None:
        conditions.append(held.c.code == filters.code)
    if filters.rule is not None:
        conditions.append(held.c.rule == filters.rule)
    if filters.text is not None:
        reason = held.c.reason.icontains(filters.text, autoescape=True)
        conditions.append(sa.or_(reason, held.c.code.icontains(filters.text, autoescape=True)))
    return conditions


def _by_rule(filters: Filters, window: Window, limit: int) -> sa.Select[Any]:
    """From the trace of what a rule recorded, and from what is held for it."""
    t, h = trace.c, held.c
    fits = [*_conditions(filters), *_ended(filters)]
    ruled = sa.text("trace.detail->>'rule' = :rule AND trace.step = 'recorded'").bindparams(rule=filters.rule)
    recorded = (
        sa.select(t.message_id.label("id"))
        .distinct()
        .select_from(trace.join(inbox, inbox.c.id == t.message_id))
        .where(ruled, *_bounds(t.message_id, window), *fits)
    )
    still = (
        sa.select(h.message_id.label("id"))
        .select_from(held.join(inbox, inbox.c.id == h.message_id))
        .where(h.rule == filters.rule, h.released_at.is_(None), *_bounds(h.message_id, window), *fits)
    )
    pages = [_page(one, window, limit).subquery() for one in (recorded, still)]
    both = sa.union(*(sa.select(page.c.id) for page in pages)).subquery("both")
    return sa.select(both.c.id)


def _given_up(filters: Filters, window: Window) -> sa.Select[Any]:
    bounds = _bounds(trace.c.message_id, window)
    given_up = sa.select(trace.c.message_id).where(trace.c.step == "discarded", *bounds)
    conditions = [*_conditions(filters), *_ended(filters), inbox.c.id.in_(given_up)]
    return sa.select(inbox.c.id).where(*conditions)


def _ended(filters: Filters) -> list[sa.ColumnElement[bool]]:
    if filters.state is None:
        return []
    at_work = sa.exists().where(work.c.id == inbox.c.id)
    given_up = sa.func.coalesce(LAST_END == "discarded", sa.false())
    return [~at_work, given_up if filters.state is State.DISCARDED else ~given_up]


def _merged(connection: sa.Connection, filters: Filters, window: Window, limit: int) -> sa.Select[Any] | None:
    """From the inbox: an index for each campus, sender or type that the filters leave open."""
    conditions = [*_bounds(inbox.c.id, window), *_conditions(filters), *_ended(filters)]
    branches = _branches(connection, filters)
    if branches is None:
        return sa.select(inbox.c.id).where(*conditions)
    pages = []
    for branch in branches:
        fixed = [inbox.c[name] == value for name, value in branch.items()]
        page = _page(sa.select(inbox.c.id).where(*conditions, *fixed), window, limit).subquery()
        pages.append(sa.select(page.c.id))
    if not pages:
        return None
    every = sa.union_all(*pages).subquery("every")
    return sa.select(every.c.id)


def _branches(connection: sa.Connection, filters: Filters) -> Sequence[dict[str, str]] | None:
    names: tuple[str, ...]
    if filters.number is not None:
        return None
    if filters.control_id is not None:
        names, query = ("facility", "sender"), SENDERS
    elif filters.patient_number is not None or filters.visit_number is not None:
        names, query = ("facility",), CAMPUSES
    elif filters.message_type is not None or filters.facility is not None:
        names, query = ("facility", "message_type"), TYPES
    else:
        return None
    found = [dict(zip(names, row, strict=True)) for row in connection.execute(query)]
    return [one for one in found if all(getattr(filters, n, None) in (None, v) for n, v in one.items())]
