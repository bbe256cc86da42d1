"""Patient `$everything`: a person and all their records, in pages (R4 section 8.1.18.2)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy import Connection

from api.fhir import people
from api.fhir.bundle import Found
from api.fhir.dates import ALWAYS, Span, span
from api.fhir.kinds import KINDS
from api.fhir.parameters import Control, Query
from api.fhir.wrong import wrong_value
from bus.fhir.shapes import Resource
from bus.fhir.systems import Systems
from consortium.records import query as records
from consortium.records.query import Search

TYPES = ("Patient", *KINDS)
"""In the order in which they come."""
SEPARATOR = "."


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whose records, of which types and times."""

    person: UUID
    search: Search
    types: tuple[str, ...]


def wanted(query: Query, person: UUID) -> Wanted:
    """Read `start`, `end`, `_since` and `_type`. Raises FailureError (400)."""
    types = query.values("_type")
    if unknown := [name for name in types if name not in TYPES]:
        raise wrong_value("_type", f"{len(unknown)} of them not served; there are: {', '.join(TYPES)}")
    during = _span(query, "start", "ge").within(_span(query, "end", "le"))
    changed = _span(query, "_since", "ge")
    search = Search(person=person, since=during.since, before=during.before, changed_since=changed.since)
    return Wanted(person, search, tuple(name for name in TYPES if not types or name in types))


def _span(query: Query, name: str, prefix: str) -> Span:
    given = query.one(name)
    return span(name, f"{prefix}{given.value}") if given else ALWAYS


def find(connection: Connection, wanted: Wanted, control: Control, systems: Systems) -> Found | None:
    """Return a page; None when there is no such person."""
    patient = people.read(connection, wanted.person, systems)
    if patient is None:
        return None
    place, cursor = _position(control.cursor, wanted.types)
    search = replace(wanted.search, patients=records.patients_of(connection, wanted.person))
    found: list[Resource] = []
    for name in wanted.types[place:]:
        if len(found) >= control.count:
            return Found(found, _cursor(wanted.types.index(name), None))
        if name == "Patient":
            found.append(patient)
            continue
        kind, room = KINDS[name], control.count - len(found)
        asked = replace(search, categories=kind.default_categories, limit=room, after=cursor)
        page = kind.find(connection, asked)
        found += kind.show(connection, page.rows, systems)
        if page.after is not None:
            return Found(found, _cursor(wanted.types.index(name), page.after))
        cursor = None
    return Found(found)


def _cursor(place: int, after: str | None) -> str:
    return f"{place}{SEPARATOR}{after or ''}"


def _position(cursor: str | None, types: tuple[str, ...]) -> tuple[int, str | None]:
    if cursor is None:
        return 0, None
    place, _, after = cursor.partition(SEPARATOR)
    if not place.isdecimal() or int(place) >= len(types):
        raise wrong_value("_page", "the page cursor is not one of ours: start again from the first page")
    return int(place), after or None
