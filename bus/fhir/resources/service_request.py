"""ServiceRequest: an order. Orders of medicines are none (R4 has MedicationRequest for those)."""

from __future__ import annotations

from collections.abc import Mapping

from bus.fhir.extensions import DEPARTMENT, extension
from bus.fhir.shapes import (
    Resource,
    Row,
    concept,
    identifier,
    meta,
    practitioner,
    reference,
    status,
    time,
    without_empty,
)
from bus.fhir.systems import Systems

SNOMED = "http://snomed.info/sct"
STATUSES = {"active": "active", "completed": "completed", "cancelled": "revoked"}
CATEGORIES = {
    "lab": ("108252007", "Laboratory procedure"),
    "exam": ("363679005", "Imaging"),
    "procedure": ("387713003", "Surgical procedure"),
}
KINDS = ("lab", "exam", "procedure", "other")
"""Kinds of orders that are service requests."""


def service_request(row: Row, systems: Systems) -> Resource:
    """Make a ServiceRequest (R4 section 12.16)."""
    category = CATEGORIES.get(row["kind"])
    return without_empty(
        {
            "resourceType": "ServiceRequest",
            **ordered(row, systems, STATUSES),
            "category": _category(*category) if category else None,
            "code": concept(row, "item", systems),
        }
    )


def ordered(row: Row, systems: Systems, statuses: Mapping[str, str]) -> Resource:
    """Return the elements that every request has of its order."""
    facility = row["facility"]
    placer = identifier(systems.of(facility, "order"), row["number"], "PLAC")
    filler = identifier(systems.of(facility, "filler"), row["filler_number"], "FILL")
    return {
        "id": str(row["id"]),
        "meta": meta(row, systems.patient(facility)),
        "extension": extension(DEPARTMENT, "CodeableConcept", concept(row, "department", systems)),
        "identifier": [known for known in (placer, filler) if known],
        "status": status(row, statuses),
        "intent": "order",
        "priority": row["priority"],
        "subject": reference("Patient", row["person_id"]),
        "encounter": reference("Encounter", row["encounter_id"]),
        "authoredOn": time(row["ordered_at"]),
        "requester": practitioner(row, "doctor", systems),
    }


def _category(code: str, display: str) -> list[Resource]:
    return [{"coding": [{"system": SNOMED, "code": code, "display": display}]}]
