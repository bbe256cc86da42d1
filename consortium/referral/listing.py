"""Worklists: what a party at a hospital owes, most urgent first; and what a hospital sent and received."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from consortium.records.paging import Page, cursor, position
from consortium.referral import store
from consortium.referral.model import Party, State

_C = store.REFERRAL.c
_URGENCY = sa.case({"emergency": 0, "urgent": 1}, value=_C.urgency, else_=2)


def owed(
    connection: sa.Connection, facility: str, parties: Sequence[Party], states: Sequence[State], limit: int
) -> list[store.Row]:
    """Return the referrals in whose next step it is one of these parties' turn, there.

    Emergencies first, then by deadline.
    """
    statement = (
        store.select()
        .where(_C.owner_facility == facility, _C.owner.in_([party.value for party in parties]))
        .order_by(_URGENCY, _C.deadline_at, _C.id)
        .limit(limit)
    )
    if states:
        statement = statement.where(_C.state.in_([state.value for state in states]))
    return [dict(row) for row in connection.execute(statement).mappings()]


def counts(connection: sa.Connection, facility: str, parties: Sequence[Party]) -> dict[str, tuple[int, int]]:
    """Return by state how many referrals these parties owe a step there, and how many of them are late."""
    late = sa.func.count().filter(_C.escalation_level > 0)
    statement = (
        sa.select(_C.state, sa.func.count(), late)
        .where(_C.owner_facility == facility, _C.owner.in_([party.value for party in parties]))
        .group_by(_C.state)
    )
    return {state: (number, escalated) for state, number, escalated in connection.execute(statement)}


def referrals(
    connection: sa.Connection,
    whose: str | UUID,
    states: Sequence[State],
    limit: int,
    after: str | None,
) -> Page:
    """Return what a hospital sent and received, or those of a golden person, the newest first.

    Raises BadCursorError.
    """
    mine = [_of(whose)]
    if states:
        mine.append(_C.state.in_([state.value for state in states]))
    if after is not None:
        at, id_ = position(after)
        mine.append(sa.or_(_C.created_at < at, sa.and_(_C.created_at == at, _C.id > id_)))
    statement = store.select().where(*mine).order_by(_C.created_at.desc(), _C.id).limit(limit + 1)
    rows: list[dict[str, Any]] = [dict(row) for row in connection.execute(statement).mappings()]
    kept = rows[:limit]
    more = len(rows) > limit and bool(kept)
    return Page(kept, cursor(kept[-1]["created_at"], kept[-1]["id"]) if more else None)


def _of(whose: str | UUID) -> sa.ColumnElement[bool]:
    if isinstance(whose, UUID):
        return store.LINK.c.person_id == whose
    return sa.or_(_C.sending_facility == whose, _C.receiving_facility == whose)
