"""Everything that is known of who a person is: golden record with reasons, numbers, ledger, decisions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from consortium.identity import reading, relations, search, stewardship, store, survivorship
from consortium.identity.model import Golden
from consortium.identity.reading import Linked
from consortium.identity.relations import Relation
from consortium.identity.stewardship import Move, Verdict
from consortium.identity.survivorship import Choice

_PERSONS = sa.text(
    "SELECT id, name, sex, birth_date, id_card, phone, address, deceased, vip, active FROM identity.person"
    " WHERE id > :after ORDER BY id LIMIT :limit FOR UPDATE"
)


@dataclass(frozen=True, slots=True)
class Dossier:
    """One person."""

    id: UUID
    active: bool
    """False: every number has left this person."""
    changed_at: datetime
    golden: Sequence[Choice]
    """Each field, whose word it is and why."""
    numbers: Sequence[Linked]
    ledger: Sequence[Move]
    """What happened to this person and to the numbers that are theirs now, oldest first."""
    verdicts: Sequence[Verdict]
    """What people decided about these numbers, taken back or not, oldest first."""
    relations: Sequence[Relation]
    """Mother and children, by any of these numbers."""
    successors: Sequence[UUID]
    """People to whom numbers went that were this person's once."""


def dossier(connection: sa.Connection, id_: UUID) -> Dossier | None:
    """Return a person, also one whom every number has left; None: there never was one of that id."""
    known = search.person(connection, id_)
    if known is None:
        return None
    numbers = reading.of_persons(connection, [id_])
    moves = stewardship.moves(connection, id_, [one.patient.id for one in numbers])
    concerned = {one.patient.id for one in numbers} | {one.source_patient_id for one in moves}
    return Dossier(
        id=id_,
        active=known["active"],
        changed_at=known["changed_at"],
        golden=survivorship.explain([one.patient for one in numbers]),
        numbers=numbers,
        ledger=moves,
        verdicts=stewardship.verdicts(connection, concerned),
        relations=relations.relations(connection, [one.patient.id for one in numbers]),
        successors=search.successors(connection, id_),
    )


def recompute(connection: sa.Connection, after: UUID, limit: int, now: datetime) -> tuple[int, UUID | None]:
    """Compute the golden records of some people anew, by id from behind `after`: after a change of the rules.

    Returns how many differed, and the last id; None: there are no more.
    """
    rows = connection.execute(_PERSONS, {"after": after, "limit": limit}).mappings()
    before = {row["id"]: dict(row) for row in rows}
    members: dict[UUID, list[Linked]] = {id_: [] for id_ in before}
    for one in reading.of_persons(connection, list(before)):
        members[one.person_id].append(one)
    computed = (
        survivorship.golden(id_, [one.patient for one in linked], now) for id_, linked in members.items()
    )
    changed = [golden for golden in computed if _differs(golden, before[golden.id])]
    store.write_persons(connection, changed)
    return len(changed), max(before) if before else None


def _differs(golden: Golden, row: search.Row) -> bool:
    facts = {name: getattr(golden.facts, name) for name in type(golden.facts).__dataclass_fields__}
    return {**facts, "active": golden.active} != {name: row[name] for name in (*facts, "active")}
