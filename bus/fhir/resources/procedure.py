"""Procedure: an operation, an anaesthesia, or another thing done."""

from __future__ import annotations

from bus.fhir.extensions import DEPARTMENT, INCISION, LEVEL, ORDER, PART_OF, extension
from bus.fhir.shapes import (
    Resource,
    Row,
    concept,
    identifier,
    meta,
    organisation,
    practitioner,
    reference,
    status,
    time,
    without_empty,
)
from bus.fhir.systems import Systems

SNOMED = "http://snomed.info/sct"
STATUSES = {
    "planned": "preparation",
    "in_progress": "in-progress",
    "completed": "completed",
    "cancelled": "not-done",
}
CATEGORIES = {
    "surgery": ("387713003", "Surgical procedure"),
    "anaesthesia": ("399097000", "Administration of anesthesia"),
}


def procedure(row: Row, systems: Systems) -> Resource:
    """Make a Procedure (R4 section 9.3)."""
    number = identifier(systems.of(row["facility"], "procedure"), row["number"])
    doctor, site = practitioner(row, "doctor", systems), concept(row, "site", systems)
    category = CATEGORIES.get(row["kind"])
    return without_empty(
        {
            "resourceType": "Procedure",
            "id": str(row["id"]),
            "meta": meta(row, systems.patient(row["facility"])),
            "extension": _extensions(row, systems),
            "identifier": [number] if number else None,
            "status": status(row, STATUSES),
            "category": _category(*category) if category else None,
            "code": concept(row, "item", systems),
            "subject": reference("Patient", row["person_id"]),
            "encounter": reference("Encounter", row["encounter_id"]),
            "performedPeriod": without_empty({"start": time(row["start_at"]), "end": time(row["end_at"])}),
            "performer": [{"actor": doctor, "onBehalfOf": organisation(row["facility"], systems)}]
            if doctor
            else None,
            "bodySite": [site] if site else None,
            "note": [{"text": row["note"]}] if row["note"] else None,
        }
    )


def _category(code: str, display: str) -> Resource:
    return {"coding": [{"system": SNOMED, "code": code, "display": display}]}


def _extensions(row: Row, systems: Systems) -> list[Resource]:
    """Return what R4 has no element for, and numbers of records that may not be here."""
    facility = row["facility"]
    order = identifier(systems.of(facility, "order"), row["order_number"], "PLAC")
    whole = identifier(systems.of(facility, "procedure"), row["part_of"])
    return [
        *extension(DEPARTMENT, "CodeableConcept", concept(row, "department", systems)),
        *extension(ORDER, "Identifier", order),
        *extension(PART_OF, "Identifier", whole),
        *extension(LEVEL, "String", row["level"]),
        *extension(INCISION, "String", row["incision"]),
    ]
