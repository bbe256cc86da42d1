"""Condition: one diagnosis of a visit."""

from __future__ import annotations

from bus.fhir.shapes import Resource, Row, coded, meta, reference, time, without_empty
from bus.fhir.systems import Systems

CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"
VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"


def condition(row: Row, systems: Systems) -> Resource:
    """Make a Condition (R4 section 9.2). Its clinical status is not known; one in error says so."""
    verified = {"coding": [{"system": VERIFICATION, "code": "entered-in-error"}]} if row["deleted"] else None
    category = {"system": CATEGORY, "code": "encounter-diagnosis", "display": "Encounter Diagnosis"}
    return without_empty(
        {
            "resourceType": "Condition",
            "id": str(row["id"]),
            "meta": meta(row, systems.patient(row["facility"])),
            "verificationStatus": verified,
            "category": [{"coding": [category]}],
            "code": coded(row, row["code"], row["name"], row["system"], systems),
            "subject": reference("Patient", row["person_id"]),
            "encounter": reference("Encounter", row["encounter_id"]),
            "recordedDate": time(row["at"]),
        }
    )
