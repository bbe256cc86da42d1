"""Worklists: what a party at a hospital owes, most urgent first."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

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
