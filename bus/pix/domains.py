"""Identifier domains (assigning authorities): each has a namespace, an object identifier, or both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from bus.fhir.systems import ID_CARD
from bus.hl7.build import escape, subcomponents
from bus.hl7.message import Segment
from consortium.identity import crossing
from runtime.campuses import Campus
from runtime.settings import Settings

Kind = Literal["patient", "person", "id_card", "national"]
CONSORTIUM = "CONSORTIUM"
"""Namespace of the consortium's own ids of people."""
_NATIONAL = "2.16.156.10011.1."
"""Arc of the national identifiers of people (WS 445): of health card, passport, military card …"""


class DomainError(ValueError):
    """An assigning authority that is missing, not known, or contradicts itself. The text quotes nothing."""


@dataclass(frozen=True, slots=True)
class Domain:
    """One assigning authority."""

    kind: Kind
    """patient: a campus's numbers; person: the consortium's ids; id_card; national: others, not used here."""
    namespace: str
    oid: str
    facility: str | None = None
    """The campus, of patient numbers."""

    @property
    def hd(self) -> str:
        """The domain as data type HD inside a component, complete whatever was sent."""
        return subcomponents(self.namespace, self.oid, "ISO")

    @property
    def known(self) -> crossing.Identifier | None:
        """The domain as identity has it, with an empty identifier; None: nobody is known by one of it."""
        return None if self.kind == "national" else crossing.Identifier(self.kind, "", self.facility)

    @property
    def type(self) -> str:
        """Identifier type code (table 0203) of what it numbers."""
        return "NI" if self.kind == "id_card" else "PI"


@dataclass(frozen=True, slots=True)
class Identifier:
    """What somebody is known by in a domain."""

    domain: Domain
    value: str

    @property
    def known(self) -> crossing.Identifier | None:
        """The identifier as identity has it; None: nobody is known by one of its domain."""
        domain = self.domain.known
        return domain and replace(domain, value=self.value)

    @property
    def cx(self) -> str:
        """The identifier as data type CX."""
        return f"{escape(self.value)}^^^{self.domain.hd}^{self.domain.type}"


class Domains:
    """Every domain of one consortium, always of its campuses as they are now."""

    def __init__(self, settings: Settings) -> None:
        self.person = Domain("person", CONSORTIUM, settings.consortium_oid)
        self.card = Domain("id_card", "", ID_CARD.removeprefix("urn:oid:"))
        self._roster = settings.roster
        self._of: tuple[Campus, ...] = ()
        self._campuses: tuple[Domain, ...] = ()

    @property
    def campuses(self) -> tuple[Domain, ...]:
        """Those of the campuses' patient numbers."""
        now = self._roster.now
        if now is not self._of:
            self._campuses = tuple(Domain("patient", one.code, one.oid, one.code) for one in now)
            self._of = now
        return self._campuses

    @property
    def answerable(self) -> tuple[Domain, ...]:
        """Those whose identifiers are told where none is asked for by name."""
        return (*self.campuses, self.person)

    def of(self, facility: str) -> Domain:
        """Return the domain of a campus's patient numbers; of one that is no longer a campus, too."""
        found = next((one for one in self.campuses if one.facility == facility), None)
        return found or Domain("patient", facility, "", facility)

    def shown(self, one: crossing.Identifier) -> Identifier:
        """Return an identifier as v2 has it."""
        if one.domain == "patient":
            return Identifier(self.of(one.facility or ""), one.value)
        return Identifier(self.person if one.domain == "person" else self.card, one.value)

    def named(self, namespace: str | None, oid: str | None, type_: str | None) -> Domain:
        """Return the domain that a namespace, an object identifier or both name.

        Raises DomainError.
        """
        if not namespace and not oid:
            raise DomainError(
                "the assigning authority (component 4) is missing: give namespace, OID, or both"
            )
        if oid and type_ not in {"ISO", None}:
            raise DomainError("the assigning authority's identifier is no OID: its type must be ISO")
        every = self.answerable
        by_namespace = next((one for one in every if one.namespace == namespace), None) if namespace else None
        by_oid = self._by_oid(every, oid, namespace) if oid else None
        known = ", ".join(sorted(one.namespace for one in every))
        if (oid and by_oid is None) or (namespace and by_namespace is None and not _nameless(by_oid)):
            raise DomainError(f"the assigning authority is not known here; known are {known} and their OIDs")
        if by_namespace and by_oid and by_namespace is not by_oid:
            raise DomainError("namespace and OID of the assigning authority name two different domains")
        found = by_oid or by_namespace
        if found is None:
            raise DomainError(f"the assigning authority is not known here; known are {known} and their OIDs")
        return found

    def _by_oid(self, every: Iterable[Domain], oid: str, namespace: str | None) -> Domain | None:
        found = next((one for one in (*every, self.card) if one.oid == oid), None)
        return found or self._national(oid, namespace)

    def _national(self, oid: str, namespace: str | None) -> Domain | None:
        return Domain("national", namespace or "", oid) if oid.startswith(_NATIONAL) else None


def _nameless(domain: Domain | None) -> bool:
    """Whether a domain is known by its OID alone, whatever namespace it is given."""
    return domain is not None and domain.kind in {"id_card", "national"}


@dataclass(frozen=True, slots=True)
class Repetition:
    """One repetition of a field of data type CX, as sent."""

    place: int
    value: str | None
    authority: tuple[str | None, str | None, str | None]
    type: str | None

    def domain(self, domains: Domains) -> Domain:
        """Return its domain. Raises DomainError."""
        return domains.named(*self.authority)


def repetitions(segment: Segment, field: int) -> Iterator[Repetition]:
    """Give each repetition of a field of data type CX that says anything."""
    for place, whole in enumerate(segment.repetitions(str(field)), 1):
        if whole.strip():
            at = f"{field}({place})"
            authority = tuple(segment.get(f"{at}.4.{n}") for n in (1, 2, 3))
            value = (segment.get(f"{at}.1") or "").strip() or None
            yield Repetition(place, value, authority, segment.get(f"{at}.5"))  # type: ignore[arg-type] # three
