"""Identifier domains by their object identifiers, and by the names of campuses."""

from __future__ import annotations

from bus.fhir.systems import ID_CARD, Systems
from bus.hl7v3.elements import Id
from consortium.identity.crossing import Identifier

_OID = "urn:oid:"
_KINDS = ("patient", "person", "id_card")


def known(id_: Id, systems: Systems) -> Identifier | None:
    """Return what an id names; None: its domain is none of ours, or root and name contradict each other."""
    domain = systems.domain(_OID + id_.root) if id_.root else None
    named = systems.campus(id_.authority) if id_.authority else None
    if not id_.root and named:
        return Identifier("patient", id_.extension or "", named)
    if domain is None or domain.kind not in _KINDS or (named and domain.facility != named):
        return None
    return Identifier(domain.kind, id_.extension or "", domain.facility)  # type: ignore[arg-type]  # checked above


def shown(one: Identifier, systems: Systems) -> Id:
    """Return an identifier as v3 has it."""
    if one.domain == "patient":
        facility = one.facility or ""
        return Id(systems.patient(facility).removeprefix(_OID), one.value, facility)
    system = ID_CARD if one.domain == "id_card" else systems.person
    return Id(system.removeprefix(_OID), one.value)
