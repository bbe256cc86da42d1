"""Where is message X: every message and refusal, its state, its reason, and its whole way."""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from consortium.errors import PermanentError

LARGEST_PAGE = 500


class State(enum.StrEnum):
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
    state: State | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: str | None = None
    """Part of the reason or its code."""


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of the list: `limit` entries, newest first, from behind the cursor `after`."""

    limit: int = 50
    after: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the list."""

    id: str
    """The inbox id, or `r` and a number for a refusal."""
    at: datetime
    state: State
    facility: str | None
    sender: str | None
    control_id: str | None
    message_type: str | None
    protocol: str
    endpoint: str
    patient_number: str | None
    visit_number: str | None
    code: str | None
    """Why it is held or was refused."""
    reason: str | None
    rule: str | None
    step: str | None
    field: str | None
    blocked_by: str | None
    """The held message that a waiting one is behind."""
    size: int
    """Bytes."""


@dataclass(frozen=True, slots=True)
class Found:
    """A page of entries, and the cursor of the next."""

    entries: tuple[Entry, ...]
    next: str | None


class BadCursorError(PermanentError):
    """A cursor that this service did not give."""


inbox = sa.table(
    "inbox",
    *map(
        sa.column,
        [
            "id",
            "received_at",
            "facility",
            "sender",
            "control_id",
            "generation",
            "message_type",
            "protocol",
            "endpoint",
            "charset",
            "patient_number",
            "visit_number",
            "body",
        ],
    ),
    schema="bus",
)
work = sa.table("work", *map(sa.column, ["id", "state", "published_at", "blocked_by"]), schema="bus")
refusal = sa.table(
    "refusal",
    *map(
        sa.column,
        [
            "id",
            "at",
            "protocol",
            "endpoint",
            "peer",
            "facility",
            "control_id",
            "message_type",
            "code",
            "reason",
            "size",
            "body",
        ],
    ),
    schema="bus",
)
# Strings below: the open reason of a message, and whether a person gave it up.
HELD_NOW = sa.text(
    "SELECT h.code, h.reason, h.rule, h.step, h.field FROM bus.held h"
    " WHERE h.message_id = inbox.id AND h.released_at IS NULL ORDER BY h.id DESC LIMIT 1"
).columns(code=sa.Text, reason=sa.Text, rule=sa.Text, step=sa.Text, field=sa.Text)
DISCARDED = sa.text("EXISTS (SELECT FROM bus.trace t WHERE t.message_id = inbox.id AND t.step = 'discarded')")
SENDERS = sa.text(
    "WITH RECURSIVE pairs AS ("
    " (SELECT facility, sender FROM bus.inbox ORDER BY facility, sender LIMIT 1) UNION ALL"
    " SELECT n.facility, n.sender FROM pairs p CROSS JOIN LATERAL ("
    " SELECT facility, sender FROM bus.inbox WHERE (facility, sender) > (p.facility, p.sender)"
    " ORDER BY facility, sender LIMIT 1) n) SELECT facility, sender FROM pairs"
)
"""Who sends at all, by hops through the unique index, which a search by control id alone could not use."""
CURSOR = re.compile(r"m(\d+)\.r(\d+)", re.ASCII)
NEWEST = 2**63 - 1


def search(connection: sa.Connection, filters: Filters, page: Page | None = None) -> Found:
    """Return messages and refusals, newest first. Raises `BadCursorError`."""
    page = page or Page()
    limit = max(1, min(page.limit, LARGEST_PAGE))
    message_before, refusal_before = _cursor(page.after)
    entries: list[Entry] = []
    if filters.state is not State.REFUSED:
        entries += _messages(connection, filters, message_before, limit + 1)
    if filters.state in (None, State.REFUSED) and filters.patient_number is None:
        entries += _refusals(connection, filters, refusal_before, limit + 1)
    entries.sort(key=lambda entry: (entry.at, entry.id), reverse=True)
    shown = entries[:limit]
    more = len(entries) > limit
    return Found(tuple(shown), _next(shown, message_before, refusal_before) if more else None)


def _cursor(text: str | None) -> tuple[int, int]:
    if text is None:
        return NEWEST, NEWEST
    match = CURSOR.fullmatch(text)
    if match is None:
        raise BadCursorError("the cursor is not one that a page of messages gave; begin at the first page")
    return int(match[1]), int(match[2])


def _next(shown: Sequence[Entry], message_before: int, refusal_before: int) -> str:
    messages = [int(entry.id) for entry in shown if not entry.id.startswith("r")]
    refusals = [int(entry.id[1:]) for entry in shown if entry.id.startswith("r")]
    return f"m{min(messages, default=message_before)}.r{min(refusals, default=refusal_before)}"


def select_messages() -> sa.Select[Any]:
    """Return the select of message entries, without conditions."""
    held = HELD_NOW.subquery("held").lateral()
    state = sa.case(
        (sa.and_(work.c.id.is_(None), DISCARDED), "discarded"),
        (work.c.id.is_(None), "recorded"),
        (sa.and_(work.c.state.in_((1, 3)), held.c.code == "control_id_conflict"), "conflict"),
        (work.c.state.in_((1, 3)), "held"),
        (work.c.state == 2, "waiting"),
        (work.c.published_at.is_(None), "stored"),
        else_="published",
    )
    i = inbox.c
    joined = inbox.outerjoin(work, work.c.id == i.id).outerjoin(held, sa.true())
    return sa.select(
        i.id, i.received_at, state.label("state"), i.facility, i.sender, i.control_id, i.message_type,
        i.protocol, i.endpoint, i.patient_number, i.visit_number, held.c.code, held.c.reason, held.c.rule,
        held.c.step, held.c.field, work.c.blocked_by, sa.func.octet_length(i.body).label("size"),
    ).select_from(joined)  # fmt: skip


def _messages(connection: sa.Connection, filters: Filters, before: int, limit: int) -> list[Entry]:
    query = select_messages()
    columns = query.selected_columns
    conditions = [inbox.c.id < before, *_equal(inbox, filters), *_times(inbox.c.received_at, filters)]
    if filters.patient_number is not None:
        conditions.append(inbox.c.patient_number == filters.patient_number)
    if filters.control_id is not None:
        senders = [tuple(row) for row in connection.execute(SENDERS)]
        conditions.append(sa.tuple_(inbox.c.facility, inbox.c.sender).in_(senders))
    conditions += _in_state(columns, filters.state)
    if filters.text is not None:
        reason = columns["reason"].icontains(filters.text, autoescape=True)
        conditions.append(sa.or_(reason, columns["code"].icontains(filters.text, autoescape=True)))
    rows = connection.execute(query.where(*conditions).order_by(inbox.c.id.desc()).limit(limit))
    return [message_entry(row) for row in rows]


def _in_state(columns: Any, state: State | None) -> list[sa.ColumnElement[bool]]:
    if state is None:
        return []
    # The first of these two is what an index can answer; the label says the rest.
    pending = {State.STORED: (0,), State.PUBLISHED: (0,), State.WAITING: (2,)}.get(state, (1, 3))
    done = state in (State.RECORDED, State.DISCARDED)
    narrow = work.c.id.is_(None) if done else work.c.state.in_(pending)
    return [narrow, columns["state"] == state.value]


def message_entry(row: Any) -> Entry:
    """Return the entry of a row of `select_messages`."""
    blocked_by = None if row.blocked_by is None else str(row.blocked_by)
    waiting = row.state == State.WAITING.value
    return Entry(
        id=str(row.id),
        at=row.received_at,
        state=State(row.state),
        facility=row.facility,
        sender=row.sender,
        control_id=row.control_id,
        message_type=row.message_type,
        protocol=row.protocol,
        endpoint=row.endpoint,
        patient_number=row.patient_number,
        visit_number=row.visit_number,
        code="waiting" if waiting else row.code,
        reason=f"waits behind message {blocked_by} of the same patient" if waiting else row.reason,
        rule=row.rule,
        step=row.step,
        field=row.field,
        blocked_by=blocked_by,
        size=row.size,
    )


def select_refusals() -> sa.Select[Any]:
    """Return the select of refusals, without conditions and without bodies."""
    return sa.select(*(column for column in refusal.c if column.name != "body"))


def _refusals(connection: sa.Connection, filters: Filters, before: int, limit: int) -> list[Entry]:
    conditions = [refusal.c.id < before, *_equal(refusal, filters), *_times(refusal.c.at, filters)]
    if filters.text is not None:
        reason = refusal.c.reason.icontains(filters.text, autoescape=True)
        conditions.append(sa.or_(reason, refusal.c.code.icontains(filters.text, autoescape=True)))
    query = select_refusals().where(*conditions).order_by(refusal.c.id.desc()).limit(limit)
    return [refusal_entry(row) for row in connection.execute(query)]


def refusal_entry(row: Any) -> Entry:
    """Return the entry of a row of `select_refusals`."""
    return Entry(
        id=f"r{row.id}",
        at=row.at,
        state=State.REFUSED,
        facility=row.facility,
        sender=None,
        control_id=row.control_id,
        message_type=row.message_type,
        protocol=row.protocol,
        endpoint=row.endpoint,
        patient_number=None,
        visit_number=None,
        code=row.code,
        reason=row.reason,
        rule=None,
        step=None,
        field=None,
        blocked_by=None,
        size=row.size,
    )


def _equal(table: sa.TableClause, filters: Filters) -> list[sa.ColumnElement[bool]]:
    wanted = {name: getattr(filters, name) for name in ("facility", "message_type", "control_id")}
    return [table.c[name] == value for name, value in wanted.items() if value is not None]


def _times(at: sa.ColumnClause[Any], filters: Filters) -> list[sa.ColumnElement[bool]]:
    conditions = []
    if filters.since is not None:
        conditions.append(at >= filters.since)
    if filters.until is not None:
        conditions.append(at < filters.until)
    return conditions
