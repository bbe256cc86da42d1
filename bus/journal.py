"""Where is message X: every message and refusal, its state, its reason, and its whole way."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from bus.finding import LAST_END, NEWEST, Filters, State, Window, find_ids, inbox, work
from consortium.errors import PermanentError

LARGEST_PAGE = 500


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
HELD_NOW = sa.text(
    "SELECT h.code, h.reason, h.rule, h.step, h.field FROM bus.held h"
    " WHERE h.message_id = inbox.id AND h.released_at IS NULL ORDER BY h.id DESC LIMIT 1"
).columns(code=sa.Text, reason=sa.Text, rule=sa.Text, step=sa.Text, field=sa.Text)
CURSOR = re.compile(r"m(\d+)\.r(\d+)", re.ASCII)


def search(connection: sa.Connection, filters: Filters, page: Page | None = None) -> Found:
    """Return messages and refusals, newest first. Raises `BadCursorError`."""
    page = page or Page()
    limit = max(1, min(page.limit, LARGEST_PAGE))
    message_before, refusal_before = _cursor(page.after)
    entries: list[Entry] = []
    if filters.state is not State.REFUSED:
        entries += _messages(connection, filters, message_before, limit + 1)
    messages_only = (filters.patient_number, filters.visit_number, filters.rule, filters.number)
    if filters.state in (None, State.REFUSED) and all(one is None for one in messages_only):
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
        raise BadCursorError(
            "the cursor is not one that a page of messages gave; begin at the first page",
            zh="游标无效：请从第一页开始",
        )
    return int(match[1]), int(match[2])


def _next(shown: Sequence[Entry], message_before: int, refusal_before: int) -> str:
    messages = [int(entry.id) for entry in shown if not entry.id.startswith("r")]
    refusals = [int(entry.id[1:]) for entry in shown if entry.id.startswith("r")]
    return f"m{min(messages, default=message_before)}.r{min(refusals, default=refusal_before)}"


def select_messages() -> sa.Select[Any]:
    """Return the select of message entries, without conditions."""
    held = HELD_NOW.subquery("held").lateral()
    state = sa.case(
        (sa.and_(work.c.id.is_(None), LAST_END == "discarded"), "discarded"),
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
        held.c.step, held.c.field, work.c.blocked_by, i.size,
    ).select_from(joined)  # fmt: skip


def _messages(connection: sa.Connection, filters: Filters, before: int, limit: int) -> list[Entry]:
    ids = find_ids(connection, filters, Window(high=before), limit)
    if not ids:
        return []
    query = select_messages().where(inbox.c.id == sa.func.any(sa.cast(ids, ARRAY(sa.BigInteger))))
    return [message_entry(row) for row in connection.execute(query.order_by(inbox.c.id.desc()))]


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
    conditions = [refusal.c.id < before, *_equal(filters), *_times(filters)]
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


def _equal(filters: Filters) -> list[sa.ColumnElement[bool]]:
    wanted = {name: getattr(filters, name) for name in ("facility", "message_type", "control_id", "code")}
    return [refusal.c[name] == value for name, value in wanted.items() if value is not None]


def _times(filters: Filters) -> list[sa.ColumnElement[bool]]:
    conditions = []
    if filters.since is not None:
        conditions.append(refusal.c.at >= filters.since)
    if filters.until is not None:
        conditions.append(refusal.c.at < filters.until)
    return conditions
