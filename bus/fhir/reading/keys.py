"""By which number of which campus a resource is known, and to what a reference leads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

from bus.fhir.shapes import Resource
from bus.fhir.systems import Systems
from consortium.records.keys import record_id
from consortium.records.model import REPORT_NUMBERS

KINDS: Mapping[str, tuple[str, ...]] = {
    "Patient": ("patient",),
    "Encounter": ("encounter",),
    "ServiceRequest": ("order",),
    "MedicationRequest": ("order",),
    "DiagnosticReport": REPORT_NUMBERS,
    "DocumentReference": ("document",),
    "Appointment": ("appointment",),
    "ChargeItem": ("charge",),
    "Procedure": ("procedure",),
    "AllergyIntolerance": ("allergy",),
}
"""Resource types that can be written, and the kinds of numbers (`Systems`) that name them."""


@dataclass(frozen=True, slots=True)
class Key:
    """A number that a campus gave, and what for."""

    kind: str
    facility: str
    number: str

    @property
    def id(self) -> UUID:
        """The public id of the record; for a patient that of the campus's patient, which `/fhir` does not
        show.
        """
        return record_id(self.facility, self.kind, self.number)


def identifiers(resource: Resource) -> Iterator[Resource]:
    """Give a resource's identifiers, its master identifier first."""
    if isinstance(master := resource.get("masterIdentifier"), dict):
        yield master
    yield from (one for one in resource.get("identifier", ()) if isinstance(one, dict))


def key_of(resource: Resource, systems: Systems) -> Key | None:
    """Return what names a resource: its first identifier of a campus's system that fits its type, one that
    is in use.
    """
    kinds = KINDS.get(resource["resourceType"], ())
    found = (_key(one, kinds, systems) for one in identifiers(resource) if one.get("use") != "old")
    return next((key for key in found if key), None)


def _key(identifier: Mapping[str, Any], kinds: tuple[str, ...], systems: Systems) -> Key | None:
    domain = systems.domain(str(identifier.get("system", "")))
    value = str(identifier.get("value", "")).strip()
    if domain is None or domain.facility is None or domain.kind not in kinds or not value:
        return None
    return Key(domain.kind, domain.facility, value)


def token_key(kind: str, token: str, systems: Systems) -> Key | None:
    """Return the key of `identifier=system|value`, as conditional requests have it."""
    system, _, value = token.rpartition("|")
    return _key({"system": system, "value": value}, KINDS.get(kind, ()), systems)


def query_key(kind: str, query: str, systems: Systems) -> Key | None:
    """Return the key of a conditional request's query; None for any other search than by one identifier."""
    pairs = parse_qsl(query)
    if len(pairs) != 1 or pairs[0][0] != "identifier":
        return None
    return token_key(kind, pairs[0][1], systems)


@dataclass(frozen=True)
class Links:
    """To what the references of a bundle lead."""

    systems: Systems
    keys: Mapping[str, Key] = field(default_factory=dict)
    """By address: those of the bundle's entries, and the literal ones that were looked up."""

    def target(self, reference: Any, kind: str) -> Key | None:
        """Return the number of what a Reference names; None when it leads nowhere known."""
        if not isinstance(reference, dict):
            return None
        address = str(reference.get("reference", ""))
        name, query, value = address.partition("?")
        if query:
            return query_key(kind, value, self.systems) if name == kind else None
        key = self.keys.get(address) or self.keys.get("/".join(address.split("/")[-2:]))
        if key is not None:
            return key if key.kind in KINDS[kind] else None
        identifier = reference.get("identifier")
        return _key(identifier, KINDS[kind], self.systems) if isinstance(identifier, dict) else None


def literals(value: Any) -> Iterator[tuple[str, UUID]]:
    """Give every literal reference to one of our resources: its type and id, wherever it stands."""
    if isinstance(value, list):
        for one in value:
            yield from literals(one)
    elif isinstance(value, dict):
        if isinstance(address := value.get("reference"), str):
            yield from _literal(address)
        for one in value.values():
            if isinstance(one, (dict, list)):
                yield from literals(one)


def _literal(address: str) -> Iterator[tuple[str, UUID]]:
    parts = address.split("/")
    if len(parts) < 2 or parts[-2] not in KINDS:
        return
    try:
        yield parts[-2], UUID(parts[-1])
    except ValueError:
        return
