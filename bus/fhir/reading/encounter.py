"""Encounter → a visit with its diagnoses."""

from __future__ import annotations

from bus.fhir.reading.elements import Reader, given, inverse
from bus.fhir.resources.encounter import ACT_CODE, CHECKUP, CLASSES, STATUSES
from consortium.records.model import Coded, Encounter, Practitioner

ELEMENTS = frozenset(
    {"identifier", "status", "class", "serviceType", "subject", "participant", "period", "reasonCode"}
    | {"location", "serviceProvider"}
)
_STATUSES = inverse(STATUSES, triaged="arrived", onleave="in_progress")
_CLASSES = inverse({ours: code for ours, (code, _) in CLASSES.items()}, ACUTE="inpatient", NONAC="inpatient")


def encounter(reader: Reader) -> Encounter:
    """Read an Encounter (R4 section 8.11)."""
    resource = reader.resource
    period = resource.get("period", {})
    return Encounter(
        number=reader.key.number,
        **given(
            class_=_class(reader),
            status=_status(reader),
            department=reader.coded("serviceType", resource.get("serviceType")),
            doctor=_doctor(reader),
            bed=_bed(reader),
            start=reader.time("period.start", period.get("start")),
            end=reader.time("period.end", period.get("end")),
            diagnoses=_diagnoses(reader) or None,
            deleted=True if resource.get("status") == "entered-in-error" else None,
        ),
    )


def _status(reader: Reader) -> str | None:
    status = reader.resource.get("status")
    if status in ("entered-in-error", "unknown"):
        return None
    found: str | None = reader.word("status", status, _STATUSES)
    return found


def _class(reader: Reader) -> str | None:
    coding = reader.resource.get("class", {})
    if coding.get("system") == reader.links.systems.encounter_class and coding.get("code") == CHECKUP[0]:
        return "checkup"
    if coding.get("code") == "UNK":
        return None
    if coding.get("system") != ACT_CODE:
        reader.wrong("class", f"give a code of {ACT_CODE}", "code-invalid")
        return None
    found: str | None = reader.word("class.code", coding.get("code"), _CLASSES)
    return found


def _doctor(reader: Reader) -> Practitioner | None:
    found = [
        one.get("individual")
        for one in reader.resource.get("participant", ())
        if not one.get("type")
        or any(c.get("code") == "ATND" for t in one["type"] for c in t.get("coding", ()))
    ]
    return reader.practitioner(found[0]) if found else None


def _bed(reader: Reader) -> str | None:
    beds = [one.get("location", {}).get("display") for one in reader.resource.get("location", ())]
    return beds[-1] if beds else None


def _diagnoses(reader: Reader) -> tuple[Coded, ...]:
    concepts = enumerate(reader.resource.get("reasonCode", ()))
    found = (reader.coded(f"reasonCode[{place}]", concept) for place, concept in concepts)
    return tuple(one for one in found if one)
