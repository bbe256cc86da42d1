"""Searching the referrals that somebody may see: by id, patient, state, and time of application."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from consortium.records.paging import Page, page, position
from consortium.referral import store
from consortium.referral.model import State

_C = store.REFERRAL.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What is looked for. What is None narrows nothing."""

    whose: str | UUID
    """Hospital that sends or receives; or the golden person themself."""
    ids: Sequence[UUID] | None = None
    person: UUID | None = None
    states: Sequence[str] | None = None
    with_time: bool = False
    """Only those with a booked time."""
    since: datetime | None = None
    """Begun at that time or later."""
    before: datetime | None = None
    limit: int = 50
    after: str | None = None


def search(connection: sa.Connection, wanted: Search) -> Page:
    """Return referrals, the newest first. Raises BadCursorError."""
    conditions = _conditions(wanted)
    if wanted.after is not None:
        at, id_ = position(wanted.after)
        conditions.append(sa.or_(_C.created_at < at, sa.and_(_C.created_at == at, _C.id > id_)))
    statement = (
        store.select().where(*conditions).order_by(_C.created_at.desc(), _C.id).limit(wanted.limit + 1)
    )
    rows = [dict(row) for row in connection.execute(statement).mappings()]
    return page(rows, wanted.limit, "created_at")


def count(connection: sa.Connection, wanted: Search) -> int:
    """Return how many there are of those, all pages together."""
    inner = store.select().where(*_conditions(wanted)).subquery()
    return connection.execute(sa.select(sa.func.count()).select_from(inner)).scalar_one()


def _conditions(wanted: Search) -> list[sa.ColumnElement[bool]]:
    found = [of(wanted.whose)]
    if wanted.ids is not None:
        found.append(_C.id.in_(wanted.ids))
    if wanted.person is not None:
        found.append(of(wanted.person))
    if wanted.states is not None:
        found.append(_C.state.in_(wanted.states))
    if wanted.with_time:
        found.append(_C.slot_start.is_not(None))
    if wanted.since is not None:
        found.append(_C.created_at >= wanted.since)
    if wanted.before is not None:
        found.append(_C.created_at < wanted.before)
    return found


def of(whose: str | UUID) -> sa.ColumnElement[bool]:
    """Return what tells the referrals of a hospital, or those of a golden person.

    A draft is the sender's alone.
    """
    if isinstance(whose, UUID):
        return store.LINK.c.person_id == whose
    received = sa.and_(_C.receiving_facility == whose, _C.state != State.DRAFT.value)
    return sa.or_(_C.sending_facility == whose, received)
