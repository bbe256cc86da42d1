"""Queries: identifiers of a patient (ITI-45, PRPA_MT201307UV02), patients by what is known of them (ITI-47,
PRPA_MT201306UV02), and the rest of an answer (QUQI_MT000001UV01).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Literal
from uuid import UUID

from bus.fhir.systems import Systems
from bus.hl7v3.domains import known
from bus.hl7v3.elements import (
    MISSING,
    Element,
    Id,
    Problem,
    ProblemError,
    below,
    code,
    day,
    first,
    identifier,
    joined,
    needed,
    path,
    texts,
)
from bus.hl7v3.feeding import GENDERS, address, phone
from bus.hl7v3.names import UNKNOWN_KEY
from consortium.identity.crossing import Identifier
from consortium.identity.search import Held, PersonSearch

QUERY = "controlActProcess/queryByParameter"
LARGEST = 200
"""Patients in one answer at most."""
_READ = (
    "livingSubjectAdministrativeGender",
    "livingSubjectBirthTime",
    "livingSubjectId",
    "livingSubjectName",
    "patientAddress",
    "patientTelecom",
    "otherIDsScopingOrganization",
)


@dataclass(frozen=True, slots=True)
class PixQuestion:
    """Which identifiers a patient has."""

    query_id: Id
    source: Identifier
    location: str
    """Of the identifier asked with."""
    targets: tuple[Identifier, ...] = ()
    """Domains wanted, without values; none: all."""


@dataclass(frozen=True, slots=True)
class PdqQuestion:
    """Which patients fit."""

    query_id: Id
    wanted: PersonSearch
    quantity: int | None
    """How many the answer may hold; None: all, up to `LARGEST`."""
    domains: tuple[Identifier, ...] = ()
    """Domains whose identifiers are shown; none: all."""


@dataclass(frozen=True, slots=True)
class Continuation:
    """The rest of an answer, or no more of it."""

    query_id: Id
    cancel: bool
    quantity: int | None
    location: str
    """Of the query's id."""


def pix(message: Element, systems: Systems) -> PixQuestion:
    """Read a query for identifiers.

    Raises:
        StructureError: it lacks what it is made of.
        ProblemError: domains that are not known, each at its place (ITI TF-2 3.45.4.2.3).
    """
    query = needed(message, QUERY)
    value = needed(query, "parameterList/patientIdentifier/value")
    source = known(identifier(value), systems)
    problems = [] if source else [_unknown_domain(value)]
    targets = list(below(query, "parameterList/dataSource/value"))
    found = [known(identifier(one), systems) for one in targets]
    problems += [_unknown_domain(one) for one, domain in zip(targets, found, strict=True) if domain is None]
    if problems or source is None:
        raise ProblemError(*problems)
    domains = tuple(one for one in found if one is not None)
    return PixQuestion(identifier(needed(query, "queryId")), source, path(value), domains)


def unknown_patient(question: PixQuestion) -> ProblemError:
    """Return the error for an identifier that nobody is known by."""
    return ProblemError(Problem(UNKNOWN_KEY, "no patient is known by this identifier", question.location))


def _unknown_domain(element: Element) -> Problem:
    return Problem(UNKNOWN_KEY, "the domain is not known here", path(element))


def pdq(message: Element, systems: Systems) -> PdqQuestion:
    """Read a query for patients. Raises StructureError, ProblemError."""
    query = needed(message, QUERY)
    given = needed(query, "parameterList")
    _check(given)
    scopes = list(below(given, "otherIDsScopingOrganization/value"))
    domains = [known(identifier(one), systems) for one in scopes]
    if None in domains:
        raise ProblemError(
            *(_unknown_domain(one) for one, domain in zip(scopes, domains, strict=True) if domain is None)
        )
    fields = _Criteria(given, systems).read()
    if domains and all(one and one.domain == "patient" for one in domains):
        fields["held"] += (tuple(Held(facility=one.facility) for one in domains if one),)
    return PdqQuestion(
        query_id=identifier(needed(query, "queryId")),
        wanted=PersonSearch(**fields),
        quantity=quantity(first(query, "initialQuantity")),
        domains=tuple(one for one in domains if one is not None),
    )


def quantity(element: Element | None) -> int | None:
    """Read how many are wanted. Raises ProblemError."""
    if element is None or element.get("value") is None:
        return None
    value = element.get("value", "")
    if not value.isdecimal() or int(value) < 1:
        raise ProblemError(Problem("SYN102", "a number from 1", path(element)))
    return min(int(value), LARGEST)


def _check(given: Element) -> None:
    """Refuse what cannot be looked for: an answer that leaves a criterion out would show others."""
    names = [(one, str(one.tag).rpartition("}")[2]) for one in given]
    problems = [
        Problem("NS200", f"not looked for here; there are {', '.join(_READ)}", path(one))
        for one, name in names
        if name not in _READ
    ]
    if not any(name in _READ[:-1] for _, name in names):
        problems.append(Problem(MISSING, "give at least one criterion", path(given)))
    if problems:
        raise ProblemError(*problems)


@dataclass
class _Criteria:
    given: Element
    systems: Systems
    fields: dict[str, Any] = field(default_factory=dict)

    def read(self) -> dict[str, Any]:
        """Return fields of `PersonSearch`."""
        self._name()
        self._birth()
        if genders := [code(one) for one in self._values("livingSubjectAdministrativeGender")]:
            self.fields["sex"] = GENDERS.get(genders[0] or "", "unknown")
        groups = [(self._held(one),) for one in self._values("livingSubjectId")]
        self.fields["held"] = tuple(groups)
        if found := phone(list(self._values("patientTelecom"))):
            self.fields["phone"] = found
        addresses = [address([one]) for one in self._values("patientAddress")]
        self.fields["address"] = tuple((one, "contains") for one in addresses if one)
        return self.fields

    def _values(self, name: str) -> Iterable[Element]:
        return below(self.given, f"{name}/value")

    def _held(self, element: Element) -> Held:
        one = known(identifier(element), self.systems)
        if one is None:
            raise ProblemError(_unknown_domain(element))
        if one.domain == "person":
            return Held(person=_uuid(one.value))
        if one.domain == "id_card":
            return Held(id_card=one.value)
        return Held(facility=one.facility, number=one.value or None)

    def _name(self) -> None:
        families, given, whole, fuzzy = [], [], [], False
        for one in self._values("livingSubjectName"):
            fuzzy = fuzzy or "SRCH" in one.get("use", "").split()
            families += texts(one, "family")
            given += texts(one, "given")
            if text := (one.text or "").strip():
                whole.append(text)
        match: Literal["prefix", "exact"] = "prefix" if fuzzy else "exact"
        if families:
            self.fields |= {"family": joined(families), "family_exact": not fuzzy}
        if given:
            self.fields |= {"given": tuple(given), "given_exact": not fuzzy}
        if whole:
            self.fields |= {"name": whole[0], "name_match": match}

    def _birth(self) -> None:
        since: list[date] = []
        before: list[date] = []
        for one in self._values("livingSubjectBirthTime"):
            low, high = first(one, "low"), first(one, "high")
            if one.get("value"):
                low = high = one
            since += [day(low)] if low is not None else []
            before += [day(high) + timedelta(days=1)] if high is not None else []
        if since:
            self.fields["birth_since"] = max(since)
        if before:
            self.fields["birth_before"] = min(before)


def _uuid(text: str) -> UUID:
    """Return our own id; of what is none, one that nobody has."""
    try:
        return UUID(text)
    except ValueError:
        return UUID(int=0)


def continuation(message: Element, cancel: bool) -> Continuation:
    """Read what asks for the rest. Raises StructureError, ProblemError."""
    query = needed(message, "controlActProcess/queryContinuation")
    id_ = needed(query, "queryId")
    aborted = code(first(query, "statusCode")) == "aborted"
    return Continuation(
        identifier(id_), cancel or aborted, quantity(first(query, "continuationQuantity")), path(id_)
    )
