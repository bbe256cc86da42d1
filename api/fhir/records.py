"""Searching and reading the resources that are made of records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from api.fhir.bundle import Found
from api.fhir.dates import ALWAYS
from api.fhir.identify import person_criteria
from api.fhir.kinds import Kind
from api.fhir.parameters import Control, Query, Token, reference_id, uuid_or_none
from api.fhir.wrong import wrong_value
from bus.fhir.shapes import Resource
from bus.fhir.systems import Systems
from consortium.identity import search as identity
from consortium.identity.search import PersonSearch
from consortium.records import query as records
from consortium.records.query import Code, Search, Sort

NO_STATUS = "\0"
"""A status that no record has."""
PATIENT_PARAMETERS = ("patient", "subject")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A search over records; `nothing`: it can find none."""

    search: Search
    nothing: bool = False
    shown: frozenset[str] = frozenset()
    """Statuses shown, where the status follows from other records; empty: every one."""

    @property
    def person(self) -> UUID | None:
        """Whom the caller asked for by name."""
        return self.search.person


class Reader:
    """Reads one search's parameters into the fields of a `Search`."""

    def __init__(self, kind: Kind, query: Query, systems: Systems, connection: Connection) -> None:
        self.kind = kind
        self.query = query
        self.systems = systems
        self.connection = connection
        self.fields: dict[str, Any] = {}
        self.nothing = False
        self.shown: frozenset[str] = frozenset()

    def wanted(self) -> Wanted:
        """Read them all."""
        self._ids()
        self._patients()
        self._identifiers()
        self._codes()
        self._statuses()
        self._categories()
        self._references()
        self._times()
        self._content()
        return Wanted(Search(**self.fields), self.nothing, self.shown)

    def _ids(self) -> None:
        values = self.query.values("_id")
        ids = tuple(id_ for id_ in map(uuid_or_none, values) if id_)
        self.nothing |= bool(values) and not ids
        self.fields["ids"] = ids

    def _patients(self) -> None:
        found: set[UUID | None] = set()
        for name in PATIENT_PARAMETERS:
            if one := self.query.one(name, ("Patient",)):
                found.add(reference_id(name, "Patient", one.value))
            if chained := self.query.one(f"{name}.identifier"):
                found.add(self._person_of(chained.value))
        self.nothing |= len(found) > 1 or None in found
        self.fields["person"] = next(iter(found)) if len(found) == 1 else None

    def _person_of(self, value: str) -> UUID | None:
        system, bar, code = value.rpartition("|")
        criteria = person_criteria(Token(system if bar else None, code), self.systems)
        if criteria is None:
            return None
        people = identity.search(self.connection, PersonSearch(limit=2, **criteria)).rows
        if len(people) > 1:
            raise wrong_value("patient.identifier", "several patients have it; give its system, or patient=…")
        return people[0]["id"] if people else None

    def _identifiers(self) -> None:
        tokens = self.query.tokens("identifier") if self.kind.numbers else ()
        possible = [token for token in tokens if not token.system or self._campus(token)]
        facilities = {self._campus(token) for token in possible}
        if len(facilities) > 1:
            raise wrong_value("identifier", "identifiers joined by commas must be of one system")
        self.nothing |= bool(tokens) and not possible
        self.fields["numbers"] = tuple(token.code for token in possible)
        self._narrow_facility(next(iter(facilities), None))

    def _campus(self, token: Token) -> str | None:
        """Return the campus whose numbers of this kind an identifier's system holds; None for no system."""
        domain = self.systems.domain(token.system or "")
        return domain.facility if domain and domain.kind in self.kind.numbers else None

    def _narrow_facility(self, facility: str | None) -> None:
        if facility is None:
            return
        before = self.fields.setdefault("facility", facility)
        self.nothing |= before != facility

    def _codes(self) -> None:
        codes = []
        for token in self.query.tokens(self.kind.code_parameter):
            domain = self.systems.domain(token.system or "")
            if domain and domain.kind == "dictionary":
                self._narrow_facility(domain.facility)
                codes.append(Code(token.code, ""))
            else:
                codes.append(Code(token.code, token.system))
        self.fields["codes"] = tuple(codes)

    def _statuses(self) -> None:
        tokens = self.query.tokens(self.kind.status_parameter) if self.kind.statuses else ()
        if self.kind.statuses_are_computed:
            self.shown = frozenset(token.code for token in tokens)
            return
        ours = {theirs: ours for ours, theirs in self.kind.statuses.items()}
        self.fields["statuses"] = tuple(ours.get(token.code, NO_STATUS) for token in tokens)

    def _categories(self) -> None:
        self.fields["categories"] = self.kind.default_categories
        if not self.kind.categories:
            return
        tokens = self.query.tokens(self.kind.category_parameter)
        if tokens:
            ours = [self.kind.categories.get(token.code, (NO_STATUS,)) for token in tokens]
            self.fields["categories"] = tuple(one for group in ours for one in group)

    def _references(self) -> None:
        wanted: Mapping[str, tuple[str, str]] = {"encounter": ("Encounter", "encounter")}
        if self.kind.based_on:
            wanted = {**wanted, "based-on": ("ServiceRequest", "order")}
        if self.kind.name == "Encounter":
            wanted = {}
        for name, (kind, column) in wanted.items():
            if one := self.query.one(name, (kind,)):
                self.fields[column] = reference_id(name, kind, one.value)
                self.nothing |= self.fields[column] is None

    def _content(self) -> None:
        if self.kind.content and (one := self.query.one("_content")):
            self.fields["text"] = one.value

    def _times(self) -> None:
        span = ALWAYS
        for name in self.kind.date_parameters:
            span = span.within(self.query.span(name))
        self.fields |= {"since": span.since, "before": span.before}
        changed = self.query.span("_lastUpdated")
        self.fields |= {"changed_since": changed.since, "changed_before": changed.before}


def sorts(kind: Kind) -> dict[str, Sort]:
    """Return the values of `_sort` that are served, and ours for each."""
    times: dict[str, Sort] = {}
    for name in kind.date_parameters:
        times |= {f"-{name}": "-at", name: "at"}
    return times | {"-_lastUpdated": "-changed_at", "_lastUpdated": "changed_at"}


def wanted(kind: Kind, query: Query, systems: Systems, connection: Connection) -> Wanted:
    """Read the search parameters of a kind of records."""
    return Reader(kind, query, systems, connection).wanted()


def only(search: Wanted, person: UUID) -> Wanted:
    """Narrow a search to one person: the user's own record."""
    return replace(search, search=replace(search.search, person=person))


def find(
    connection: Connection, kind: Kind, search: Wanted, control: Control, systems: Systems
) -> tuple[Found, set[UUID]]:
    """Return a page of resources, and the persons whom they are about. Raises TooBroad, BadCursor."""
    if search.nothing:
        return Found([], total=0), set()
    total = (
        records.count(connection, kind.table, search.search) if control.only_count or control.total else None
    )
    if control.only_count:
        return Found([], total=total), set()
    order = sorts(kind)[control.sort] if control.sort else "-at"
    asked = replace(search.search, limit=control.count, after=control.cursor, sort=order)
    page = kind.find(connection, asked)
    persons = {row["person_id"] for row in page.rows}
    resources = kind.show(connection, page.rows, systems)
    if search.shown:
        resources = [resource for resource in resources if resource["status"] in search.shown]
    return Found(resources, page.after, total), persons


def read(connection: Connection, kind: Kind, id_: UUID, systems: Systems) -> tuple[Resource, UUID] | None:
    """Return a resource and the person it is about; what was entered in error says so in its status."""
    row = records.record(connection, kind.table, id_)
    if row is None or not _is(kind, row):
        return None
    return kind.show(connection, [row], systems)[0], row["person_id"]


def versions(
    connection: Connection, kind: Kind, id_: UUID, systems: Systems
) -> tuple[list[Resource], UUID] | None:
    """Return every version of a resource, newest first, and the person it is about.

    What a report or a visit refers to is shown as it is now.
    """
    rows = records.versions(connection, kind.table, id_)
    if not rows or not _is(kind, rows[0]):
        return None
    return kind.show(connection, rows, systems), rows[0]["person_id"]


def _is(kind: Kind, row: records.Row) -> bool:
    """Whether an order is of the kinds that the resource type is made of."""
    return not kind.default_categories or row["kind"] in kind.default_categories
