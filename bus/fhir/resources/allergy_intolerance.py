"""AllergyIntolerance: what a patient does not bear."""

from __future__ import annotations

from bus.fhir.extensions import REACTION, extension
from bus.fhir.shapes import (
    Resource,
    Row,
    concept,
    identifier,
    meta,
    practitioner,
    reference,
    time,
    without_empty,
)
from bus.fhir.systems import Systems

CLINICAL = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
VERIFICATION = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"
STATUSES = {"active": "active", "inactive": "inactive"}


def allergy_intolerance(row: Row, systems: Systems) -> Resource:
    """Make an AllergyIntolerance (R4 section 9.1)."""
    number = identifier(systems.of(row["facility"], "allergy"), row["number"])
    return without_empty(
        {
            "resourceType": "AllergyIntolerance",
            "id": str(row["id"]),
            "meta": meta(row, systems.patient(row["facility"])),
            "extension": extension(REACTION, "String", row["reaction"]),
            "identifier": [number] if number else None,
            **_standing(row),
            "category": [row["category"]] if row["category"] else None,
            "criticality": row["criticality"],
            "code": concept(row, "item", systems),
            "patient": reference("Patient", row["person_id"]),
            "encounter": reference("Encounter", row["encounter_id"]),
            "recordedDate": time(row["noted_at"]),
            "recorder": practitioner(row, "author", systems),
        }
    )


def _standing(row: Row) -> Resource:
    """Return the statuses: one in error has no clinical status (constraint ait-2), any other one (ait-1)."""
    if row["deleted"]:
        return {"verificationStatus": _one(VERIFICATION, "entered-in-error")}
    if row["status"] == "refuted":
        return {
            "clinicalStatus": _one(CLINICAL, "inactive"),
            "verificationStatus": _one(VERIFICATION, "refuted"),
        }
    return {"clinicalStatus": _one(CLINICAL, row["status"])}


def _one(system: str, code: str) -> Resource:
    return {"coding": [{"system": system, "code": code}]}
