"""Walking through everything that is known, by id: what an export reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from consortium.records.tables import TABLES

_LINK = sa.table("link", *map(sa.column, ("source_patient_id", "person_id")), schema="identity")
_LEDGER = sa.table("ledger", *map(sa.column, ("source_patient_id", "at")), schema="identity")
_PERSON = sa.table("person", *map(sa.column, ("id", "active", "changed_at")), schema="identity")
_T = {
    name: sa.table(
        name, *map(sa.column, ("id", "patient_id", "deleted", "changed_at", "kind")), schema="records"
    )
    for name in TABLES
}


@dataclass(frozen=True, slots=True)
class Walk:
    """What is met on the way."""

    until: datetime
    """Nothing changed later."""
    since: datetime | None = None
    """Only what changed from here on, inclusive; then what was taken back is met, too, and a record whose
    patient's number went to another person meanwhile.
    """
    persons: tuple[UUID, ...] = ()
    """Only of these; none: of everybody."""


def record_ids(
    connection: sa.Connection,
    table: str,
    walk: Walk,
    after: UUID | None,
    limit: int,
    kinds: Sequence[str] = (),
) -> list[UUID]:
    """Return the next ids of a record table, in their order; `kinds`: of these alone (of orders)."""
    c = _T[table].c
    conditions = [c.changed_at <= walk.until]
    if walk.since is None:
        conditions.append(sa.not_(c.deleted))
    else:
        moved = sa.exists().where(_LEDGER.c.source_patient_id == c.patient_id, _LEDGER.c.at >= walk.since)
        conditions.append(sa.or_(c.changed_at >= walk.since, moved))
    if walk.persons:
        linked = sa.select(_LINK.c.source_patient_id).where(_LINK.c.person_id.in_(walk.persons))
        conditions.append(c.patient_id.in_(connection.execute(linked).scalars().all()))
    if kinds:
        conditions.append(c.kind.in_(kinds))
    return _page(connection, c.id, conditions, after, limit)


def person_ids(connection: sa.Connection, walk: Walk, after: UUID | None, limit: int) -> list[UUID]:
    """Return the next ids of people, in their order; whom every number has left only where changes or
    people by name are asked for.
    """
    c = _PERSON.c
    conditions = [c.changed_at <= walk.until]
    if walk.since is not None:
        conditions.append(c.changed_at >= walk.since)
    if walk.persons:
        conditions.append(c.id.in_(walk.persons))
    if walk.since is None and not walk.persons:
        conditions.append(c.active)
    return _page(connection, c.id, conditions, after, limit)


def _page(
    connection: sa.Connection,
    id_: sa.ColumnElement[UUID],
    conditions: Sequence[sa.ColumnElement[bool]],
    after: UUID | None,
    limit: int,
) -> list[UUID]:
    beyond = [id_ > after] if after is not None else []
    statement = sa.select(id_).where(*conditions, *beyond).order_by(id_).limit(limit)
    return list(connection.execute(statement).scalars())
