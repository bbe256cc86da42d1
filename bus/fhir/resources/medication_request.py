"""MedicationRequest: an order of a medicine, one line of a prescription."""

from __future__ import annotations

from bus.fhir.extensions import DEPARTMENT, extension
from bus.fhir.shapes import (
    Resource,
    Row,
    concept,
    identifier,
    meta,
    practitioner,
    quantity,
    reference,
    status,
    time,
    without_empty,
)
from bus.fhir.systems import Systems

UCUM = "http://unitsofmeasure.org"
STATUSES = {"active": "active", "completed": "completed", "cancelled": "cancelled"}


def medication_request(row: Row, systems: Systems) -> Resource:
    """Make a MedicationRequest (R4 section 11.1)."""
    facility = row["facility"]
    placer = identifier(systems.of(facility, "order"), row["number"], "PLAC")
    filler = identifier(systems.of(facility, "filler"), row["filler_number"], "FILL")
    dosage = _dosage(row, systems)
    return without_empty(
        {
            "resourceType": "MedicationRequest",
            "id": str(row["id"]),
            "meta": meta(row, systems.patient(facility)),
            "extension": extension(DEPARTMENT, "CodeableConcept", concept(row, "department", systems)),
            "identifier": [known for known in (placer, filler) if known],
            "status": status(row, STATUSES),
            "intent": "order",
            "priority": row["priority"],
            "medicationCodeableConcept": concept(row, "item", systems),
            "subject": reference("Patient", row["person_id"]),
            "encounter": reference("Encounter", row["encounter_id"]),
            "authoredOn": time(row["ordered_at"]),
            "requester": practitioner(row, "doctor", systems),
            "groupIdentifier": identifier(systems.of(facility, "prescription"), row["prescription"]),
            "dosageInstruction": [dosage] if dosage else None,
            "dispenseRequest": _dispense(row),
        }
    )


def _dosage(row: Row, systems: Systems) -> Resource:
    days = row["days"]
    bounds = None if days is None else {"value": days, "unit": "d", "system": UCUM, "code": "d"}
    dose = quantity(row["dose"], row["dose_unit"])
    timing = {
        "repeat": {"boundsDuration": bounds} if bounds else None,
        "code": concept(row, "frequency", systems),
    }
    return without_empty(
        {
            "text": row["instructions"],
            "timing": without_empty(timing),
            "route": concept(row, "route", systems),
            "doseAndRate": [{"doseQuantity": dose}] if dose else None,
        }
    )


def _dispense(row: Row) -> Resource | None:
    found = quantity(row["quantity"], row["quantity_unit"])
    return {"quantity": found} if found else None
