"""Encounter: one visit with its diagnoses."""

from __future__ import annotations

from collections.abc import Sequence

from bus.fhir.shapes import (
    Resource,
    Row,
    coded,
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

ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
STATUSES = {
    "planned": "planned",
    "arrived": "arrived",
    "in_progress": "in-progress",
    "finished": "finished",
    "cancelled": "cancelled",
}
CLASSES = {
    "outpatient": ("AMB", "ambulatory"),
    "emergency": ("EMER", "emergency"),
    "inpatient": ("IMP", "inpatient encounter"),
}
CHECKUP = ("checkup", "体检")
"""v3-ActCode has no check-up; the consortium's own code, as the extensible binding allows."""


def encounter(row: Row, systems: Systems, diagnoses: Sequence[Row] = ()) -> Resource:
    """Make an Encounter (R4 section 8.11)."""
    number = identifier(systems.of(row["facility"], "encounter"), row["number"], "VN")
    return without_empty(
        {
            "resourceType": "Encounter",
            "id": str(row["id"]),
            "meta": meta(row, systems.patient(row["facility"])),
            "identifier": [number] if number else None,
            "status": status(row, STATUSES),
            "class": _class(row, systems),
            "serviceType": concept(row, "department", systems),
            "subject": reference("Patient", row["person_id"]),
            "participant": _participants(row, systems),
            "period": without_empty({"start": time(row["start_at"]), "end": time(row["end_at"])}),
            "reasonCode": [_diagnosis(diagnosis, systems) for diagnosis in diagnoses],
            "location": [{"location": {"display": row["bed"]}}] if row["bed"] else None,
            "serviceProvider": organisation(row["facility"], systems),
        }
    )


def _class(row: Row, systems: Systems) -> Resource:
    if row["class"] == "checkup":
        return {"system": systems.encounter_class, "code": CHECKUP[0], "display": CHECKUP[1]}
    if row["class"] is None:
        nothing = "http://terminology.hl7.org/CodeSystem/v3-NullFlavor"
        return {"system": nothing, "code": "UNK", "display": "unknown"}
    code, display = CLASSES[row["class"]]
    return {"system": ACT_CODE, "code": code, "display": display}


def _participants(row: Row, systems: Systems) -> list[Resource]:
    doctor = practitioner(row, "doctor", systems)
    role = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
    attender = {"coding": [{"system": role, "code": "ATND", "display": "attender"}]}
    return [{"type": [attender], "individual": doctor}] if doctor else []


def _diagnosis(row: Row, systems: Systems) -> Resource:
    return coded(row, row["code"], row["name"], row["system"], systems) or {}
