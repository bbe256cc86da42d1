"""MedicationRequest: an order of a medicine, one line of a prescription."""

from __future__ import annotations

from bus.fhir.resources.service_request import ordered
from bus.fhir.shapes import Resource, Row, concept, identifier, quantity, without_empty
from bus.fhir.systems import Systems

UCUM = "http://unitsofmeasure.org"
STATUSES = {"active": "active", "completed": "completed", "cancelled": "cancelled"}


def medication_request(row: Row, systems: Systems) -> Resource:
    """Make a MedicationRequest (R4 section 11.1)."""
    prescriptions = systems.of(row["facility"], "prescription")
    dosage = _dosage(row, systems)
    return without_empty(
        {
            "resourceType": "MedicationRequest",
            **ordered(row, systems, STATUSES),
            "medicationCodeableConcept": concept(row, "item", systems),
            "groupIdentifier": identifier(prescriptions, row["prescription"]),
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
