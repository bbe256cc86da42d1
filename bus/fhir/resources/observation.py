"""Observation: one result of a report."""

from __future__ import annotations

from bus.fhir.extensions import AS_SENT, SUB_ID, UNIT, extension
from bus.fhir.resources.diagnostic_report import KINDS
from bus.fhir.shapes import (
    Resource,
    Row,
    concept,
    meta,
    organisation,
    reference,
    status,
    time,
    without_empty,
)
from bus.fhir.systems import Systems

CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"

STATUSES = {
    "preliminary": "preliminary",
    "final": "final",
    "corrected": "corrected",
    "cancelled": "cancelled",
}
CATEGORIES = {
    "lab": ("laboratory", "Laboratory"),
    "exam": ("imaging", "Imaging"),
    "nursing": ("exam", "Exam"),
    "midwifery": ("exam", "Exam"),
    "checkup": ("exam", "Exam"),
}
FLAGS = {
    "normal": ("N", "Normal"),
    "low": ("L", "Low"),
    "high": ("H", "High"),
    "abnormal": ("A", "Abnormal"),
    "critical_low": ("LL", "Critical low"),
    "critical_high": ("HH", "Critical high"),
    "critical": ("AA", "Critical abnormal"),
}


def observation(row: Row, systems: Systems) -> Resource:
    """Make an Observation (R4 section 10.1)."""
    return without_empty(
        {
            "resourceType": "Observation",
            "id": str(row["id"]),
            "meta": meta(row, systems.patient(row["facility"])),
            "extension": [*_as_sent(row), *extension(SUB_ID, "String", row["sub_id"])],
            "status": status(row, STATUSES),
            "category": _category(row, systems),
            "code": concept(row, "item", systems),
            "subject": reference("Patient", row["person_id"]),
            "encounter": reference("Encounter", row["encounter_id"]),
            "effectiveDateTime": time(row["observed_at"] or row["at"]),
            "performer": [organisation(row["facility"], systems)],
            **_value(row),
            "interpretation": _one(INTERPRETATION, FLAGS.get(row["flag"])),
            "referenceRange": [{"text": row["reference_range"]}] if row["reference_range"] else None,
        }
    )


def _category(row: Row, systems: Systems) -> list[Resource]:
    found = _one(CATEGORY, CATEGORIES[row["category"]]) or []
    if own := KINDS.get(row["category"]):
        found.append(
            {"coding": [{"system": systems.report_kind, "code": row["category"], "display": own[1]}]}
        )
    return found


def _one(system: str, known: tuple[str, str] | None) -> list[Resource] | None:
    if known is None:
        return None
    return [{"coding": [{"system": system, "code": known[0], "display": known[1]}]}]


def _value(row: Row) -> Resource:
    if row["value_number"] is not None:
        return {"valueQuantity": without_empty({"value": row["value_number"], "unit": row["unit"]})}
    if row["value"]:
        return {"valueString": " ".join(part for part in (row["value"], row["unit"]) if part)}
    return {"dataAbsentReason": {"coding": [{"system": ABSENT, "code": "unknown", "display": "Unknown"}]}}


def _as_sent(row: Row) -> list[Resource]:
    """Return what a quantity or a text does not say of the value as the campus sent it."""
    number = row["value_number"]
    if number is None:
        return extension(UNIT, "String", row["unit"])
    return extension(AS_SENT, "String", row["value"] if row["value"] != f"{number:f}" else None)
