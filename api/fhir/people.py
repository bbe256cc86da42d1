"""Searching and reading Patient."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from api.fhir.bundle import Found
from api.fhir.dates import days
from api.fhir.identify import person_criteria
from api.fhir.parameters import Control, Query, uuid_or_none
from api.fhir.wrong import wrong_value
from bus.fhir.resources.patient import patient
from bus.fhir.shapes import Resource
from bus.fhir.systems import Systems
from consortium.identity import search as identity
from consortium.identity.search import PersonSearch

NAME_MODIFIERS = ("exact", "contains")
SORTS = ("_id",)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A search over people; `nobody`: it can find none."""

    search: PersonSearch
    nobody: bool = False


def wanted(query: Query, systems: Systems) -> Wanted:
    """Read Patient's search parameters."""
    fields: dict[str, Any] = {}
    nobody = _ids(query, fields) or _identifier(query, systems, fields)
    if name := query.one("name", NAME_MODIFIERS):
        fields |= {"name": name.value, "name_match": name.modifier or "prefix"}
    fields["birth_since"], fields["birth_before"] = days(query.span("birthdate"))
    for parameter, column in (("gender", "sex"), ("phone", "phone")):
        if given := query.one(parameter):
            fields[column] = given.value
    return Wanted(PersonSearch(**fields), nobody)


def _ids(query: Query, fields: dict[str, Any]) -> bool:
    values = query.values("_id")
    fields["ids"] = tuple(id_ for id_ in map(uuid_or_none, values) if id_)
    return bool(values) and not fields["ids"]


def _identifier(query: Query, systems: Systems, fields: dict[str, Any]) -> bool:
    tokens = query.tokens("identifier")
    if not tokens:
        return False
    if len(tokens) > 1:
        raise wrong_value("identifier", "give one identifier")
    criteria = person_criteria(tokens[0], systems)
    if criteria is None:
        return True
    narrowed = set(fields["ids"]) & set(criteria.get("ids", fields["ids"])) if fields["ids"] else None
    fields |= criteria
    if narrowed is not None:
        fields["ids"] = tuple(narrowed)
    return narrowed == set()


def only(search: Wanted, person: UUID) -> Wanted:
    """Narrow a search to one person: the user's own record."""
    if search.search.ids and person not in search.search.ids:
        return replace(search, nobody=True)
    return replace(search, search=replace(search.search, ids=(person,)))


def find(connection: Connection, search: Wanted, control: Control, systems: Systems) -> Found:
    """Return a page of Patients."""
    if search.nobody:
        return Found([], total=0)
    cursor = uuid_or_none(control.cursor) if control.cursor else None
    if control.cursor and cursor is None:
        raise wrong_value("_page", "the page cursor is not one of ours: start again from the first page")
    total = identity.count(connection, search.search) if control.only_count or control.total else None
    if control.only_count:
        return Found([], total=total)
    people = identity.search(connection, replace(search.search, limit=control.count, after=cursor))
    resources = [patient(row, systems) for row in people.rows]
    return Found(resources, str(people.after) if people.after else None, total)


def read(connection: Connection, id_: UUID, systems: Systems) -> Resource | None:
    """Return a Patient; one whose numbers all moved on is inactive and links to who has them."""
    row = identity.person(connection, id_)
    if row is None:
        return None
    return patient(row, systems, () if row["active"] else identity.successors(connection, id_))
