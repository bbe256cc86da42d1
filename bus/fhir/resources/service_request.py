"""ServiceRequest: an order. Orders of medicines are none (R4 has MedicationRequest for those)."""

from __future__ import annotations

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
    placer = identifier(systems.of(row["facility"], "order"), row["number"], "PLAC")
    filler = identifier(systems.of(row["facility"], "filler"), row["filler_number"], "FILL")
    category = CATEGORIES.get(row["kind"])
    return without_empty(
        {
            "resourceType": "ServiceRequest",
            "id": str(row["id"]),
            "meta": meta(row, systems.patient(row["facility"])),
            "extension": extension(DEPARTMENT, "CodeableConcept", concept(row, "department", systems)),
            "identifier": [known for known in (placer, filler) if known],
            "status": status(row, STATUSES),
            "intent": "order",
            "category": _category(*category) if category else None,
            "priority": row["priority"],
            "code": concept(row, "item", systems),
            "subject": reference("Patient", row["person_id"]),
            "encounter": reference("Encounter", row["encounter_id"]),
            "authoredOn": time(row["ordered_at"]),
            "requester": practitioner(row, "doctor", systems),
        }
    )


def _category(code: str, display: str) -> list[Resource]:
    return [{"coding": [{"system": SNOMED, "code": code, "display": display}]}]
