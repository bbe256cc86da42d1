"""Searching and reading Patient."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from api.failures import Failure, FailureError
from api.fhir.bundle import Found
from api.fhir.dates import days
from api.fhir.identify import person_criteria
from api.fhir.parameters import Control, Query, Token, tokens_of, uuid_or_none
from api.fhir.wrong import wrong_value
from bus.fhir.resources.patient import patient
from bus.fhir.shapes import Resource
from bus.fhir.systems import Systems
from consortium.identity import search as identity
from consortium.identity.search import Held, Match, PersonSearch

TEXT_MODIFIERS = ("exact", "contains")
SORTS = ("_id",)
ADDRESS = ("address", "address-city", "address-state", "address-postalcode", "address-country")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A search over people; `nobody`: it can find none."""

    search: PersonSearch
    nobody: bool = False
    domains: tuple[str, ...] = ()
    """Identifier systems that are shown; none: all (ITI TF-2 3.78.4.1.2.3)."""


def wanted(query: Query, systems: Systems, *, vips: bool = False) -> Wanted:
    """Read Patient's search parameters, those of PDQm (ITI TF-2 3.78.4.1.2.1) among them. `vips`: who asks
    finds VIPs by them too.
    """
    fields: dict[str, Any] = {"vips": vips}
    nobody = _ids(query, fields) or _inactive(query)
    found, domains = _identifiers(query, systems)
    fields["held"] = found
    if name := query.one("name", TEXT_MODIFIERS):
        fields |= {"name": name.value, "name_match": name.modifier or "prefix"}
    _parts(query, fields)
    fields["birth_since"], fields["birth_before"] = days(query.span("birthdate"))
    if given := query.one("gender"):
        fields["sex"] = given.value
    _telecom(query, fields)
    fields["address"] = tuple(_addresses(query))
    return Wanted(PersonSearch(**fields), nobody or not all(found), domains)


def _ids(query: Query, fields: dict[str, Any]) -> bool:
    values = query.values("_id")
    fields["ids"] = tuple(id_ for id_ in map(uuid_or_none, values) if id_)
    return bool(values) and not fields["ids"]


def _inactive(query: Query) -> bool:
    """Whether only people are wanted whom every number has left: a search shows none."""
    active = query.one("active")
    if active is not None and active.value not in ("true", "false"):
        raise wrong_value("active", "true or false")
    return active is not None and active.value == "false"


def _parts(query: Query, fields: dict[str, Any]) -> None:
    if family := query.one("family", ("exact",)):
        fields |= {"family": family.value, "family_exact": family.modifier == "exact"}
    if given := query.take("given", ("exact",)):
        fields["given"] = tuple(one.value for one in given)
        fields["given_exact"] = all(one.modifier == "exact" for one in given)


def _telecom(query: Query, fields: dict[str, Any]) -> None:
    """Read `telecom` and `phone`: the telephone number as the campus has it."""
    found = {token.code for name in ("telecom", "phone") for token in query.tokens(name)}
    if len(found) > 1:
        raise wrong_value("telecom", "give one telephone number")
    if found:
        fields["phone"] = found.pop()


def _addresses(query: Query) -> Iterator[tuple[str, Match]]:
    """Read the address parameters: an address is kept as one text, so its parts are looked for in it."""
    for name in ADDRESS:
        for given in query.take(name, TEXT_MODIFIERS):
            exact = name == "address" and given.modifier == "exact"
            yield given.value, "exact" if exact else "contains"


def _identifiers(query: Query, systems: Systems) -> tuple[tuple[tuple[Held, ...], ...], tuple[str, ...]]:
    """Read every `identifier`: all must hold, of each one of those joined by commas. Those that name a domain
    alone say which are shown as well.
    """
    groups, domains = [], []
    for given in query.take("identifier"):
        tokens = tokens_of(given.value)
        domains += [token.system for token in tokens if token.system and not token.code]
        _recognise(domains, systems)
        groups.append(tuple(held for token in tokens if (held := _held(token, systems)) is not None))
    return tuple(groups), tuple(domains)


def _recognise(domains: Sequence[str], systems: Systems) -> None:
    """Refuse (404) a domain that is none of ours (ITI TF-2 3.78.4.1.3, case 4)."""
    if any(systems.domain(domain) is None for domain in domains):
        raise FailureError(Failure(404, "unknown-domain", "targetSystem not found"))


def _held(token: Token, systems: Systems) -> Held | None:
    if token.system and not token.code:
        domain = systems.domain(token.system)
        return Held(facility=domain.facility) if domain and domain.kind == "patient" else Held()
    criteria = person_criteria(token, systems)
    if criteria is None:
        return None
    ids = criteria.pop("ids", (None,))
    return Held(person=ids[0], **criteria)


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
    resources = [_shown(patient(row, systems), search.domains) for row in people.rows]
    return Found(resources, str(people.after) if people.after else None, total)


def _shown(resource: Resource, domains: Sequence[str]) -> Resource:
    if domains:
        resource["identifier"] = [one for one in resource["identifier"] if one["system"] in domains]
    return resource


def read(connection: Connection, id_: UUID, systems: Systems) -> Resource | None:
    """Return a Patient; one whose numbers all moved on is inactive and links to who has them."""
    row = identity.person(connection, id_)
    if row is None:
        return None
    return patient(row, systems, () if row["active"] else identity.successors(connection, id_))
