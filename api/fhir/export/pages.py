"""One page of an export: the next resources of a type, made as a search makes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection

from api.fhir import people
from api.fhir.export.jobs import Job
from api.fhir.kinds import KINDS, Kind
from bus.fhir.resources.patient import patient
from bus.fhir.shapes import Resource
from bus.fhir.systems import Systems
from consortium.identity.search import PersonSearch, search
from consortium.records.query import Search
from consortium.records.walking import Walk, person_ids, record_ids

PAGE = 200


@dataclass(frozen=True, slots=True)
class Page:
    """Some resources, the people whom they are about, and where to go on."""

    resources: Sequence[Resource]
    persons: frozenset[UUID]
    after: UUID | None
    """None at the end."""


def page(
    connection: Connection, job: Job, kind: str, after: UUID | None, systems: Systems, limit: int = PAGE
) -> Page:
    """Return the next page of a type."""
    walk = Walk(job.transaction_time, job.since, job.persons)
    if kind == "Patient":
        ids = person_ids(connection, walk, after, limit)
        return Page(_people(connection, ids, systems), frozenset(ids), _after(ids, limit))
    one = KINDS[kind]
    kinds = one.default_categories if one.table == "order" else ()
    ids = record_ids(connection, one.table, walk, after, limit, kinds)
    if not ids:
        return Page((), frozenset(), None)
    return _records(connection, one, ids, systems, _after(ids, limit))


def _records(
    connection: Connection, kind: Kind, ids: Sequence[UUID], systems: Systems, after: UUID | None
) -> Page:
    asked = Search(ids=tuple(ids), categories=kind.default_categories, deleted=True, limit=len(ids))
    rows = kind.find(connection, asked).rows
    resources = kind.show(connection, rows, systems)
    return Page(resources, frozenset(row["person_id"] for row in rows), after)


def _after(ids: Sequence[UUID], limit: int) -> UUID | None:
    return ids[-1] if len(ids) == limit else None


def _people(connection: Connection, ids: Sequence[UUID], systems: Systems) -> list[Resource]:
    """Return Patients; one whom every number has left is inactive and leads to who has them."""
    if not ids:
        return []
    rows = search(connection, PersonSearch(ids=tuple(ids), limit=len(ids))).rows
    active = {row["id"]: patient(row, systems) for row in rows}
    shown = (active.get(id_) or people.read(connection, id_, systems) for id_ in ids)
    return [one for one in shown if one is not None]
