"""DiagnosticReport: a report of laboratory, examination, nursing, midwifery or check-up."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from uuid import UUID

from bus.fhir.extensions import DOCTOR, extension
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

DICOM = "http://dicom.nema.org/resources/ontology/DCM"
SECTION = "http://terminology.hl7.org/CodeSystem/v2-0074"
STATUSES = {
    "preliminary": "preliminary",
    "final": "final",
    "corrected": "corrected",
    "cancelled": "cancelled",
}
MODALITIES = {"CT": "CT", "MR": "NMR", "US": "RUS", "DX": "RAD", "CR": "RAD", "ECG": "EC", "NM": "NMS"}
"""DICOM modality → diagnostic service section."""
KINDS = {"nursing": ("NRS", "护理记录"), "midwifery": ("OTH", "助产记录"), "checkup": ("OTH", "体检")}
"""Kinds that v2-0074 does not tell apart → its section, and the name of the consortium's own category."""
SPECIMEN = "specimen"


def diagnostic_report(row: Row, systems: Systems, results: Sequence[UUID] = ()) -> Resource:
    """Make a DiagnosticReport (R4 section 10.3) that refers to its results."""
    number = identifier(systems.of(row["facility"], f"{row['kind']}_report"), row["number"], "ACSN")
    author = practitioner(row, "author", systems)
    order = reference("ServiceRequest", row["order_id"]) if row["order_known"] else None
    return without_empty(
        {
            "resourceType": "DiagnosticReport",
            "id": str(row["id"]),
            "meta": meta(row, systems.patient(row["facility"])),
            "contained": _specimen(row, systems),
            "extension": extension(DOCTOR, "Reference", practitioner(row, "doctor", systems)),
            "identifier": [number] if number else None,
            "basedOn": [order] if order else None,
            "status": status(row, STATUSES),
            "category": [{"coding": _category(row, systems)}],
            "code": concept(row, "item", systems),
            "subject": reference("Patient", row["person_id"]),
            "encounter": reference("Encounter", row["encounter_id"]),
            "effectiveDateTime": time(row["at"]),
            "issued": time(row["issued_at"]),
            "performer": [organisation(row["facility"], systems)],
            "resultsInterpreter": [author] if author else None,
            "specimen": [{"reference": f"#{SPECIMEN}"}] if row["specimen_code"] else None,
            "result": [reference("Observation", id_) for id_ in results],
            "conclusion": row["conclusion"],
            "presentedForm": [_text("检查所见", row["findings"])] if row["findings"] else None,
        }
    )


def _category(row: Row, systems: Systems) -> list[Resource]:
    codings = [{"system": SECTION, "code": _section(row)}]
    if row["modality"]:
        codings.append({"system": DICOM, "code": row["modality"]})
    if own := KINDS.get(row["kind"]):
        codings.append({"system": systems.report_kind, "code": row["kind"], "display": own[1]})
    return codings


def _section(row: Row) -> str:
    if own := KINDS.get(row["kind"]):
        return own[0]
    return "LAB" if row["kind"] == "lab" else MODALITIES.get(row["modality"] or "", "RAD")


def _specimen(row: Row, systems: Systems) -> list[Resource]:
    kind = concept(row, "specimen", systems)
    return [{"resourceType": "Specimen", "id": SPECIMEN, "type": kind}] if row["specimen_code"] else []


def _text(title: str, text: str) -> Resource:
    data = base64.b64encode(text.encode()).decode()
    return {"contentType": "text/plain; charset=utf-8", "language": "zh-CN", "data": data, "title": title}
