"""Appointment: a booked visit or examination."""

from __future__ import annotations

from datetime import datetime, timedelta

from bus.fhir.extensions import ENCOUNTER, extension
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

STATUSES = {"booked": "booked", "cancelled": "cancelled", "fulfilled": "fulfilled", "no_show": "noshow"}


def appointment(row: Row, systems: Systems) -> Resource:
    """Make an Appointment (R4 section 12.13)."""
    number = identifier(systems.of(row["facility"], "appointment"), row["number"])
    item, department = concept(row, "item", systems), concept(row, "department", systems)
    start, end = _span(row)
    return without_empty(
        {
            "resourceType": "Appointment",
            "id": str(row["id"]),
            "meta": meta(row, systems.patient(row["facility"])),
            "extension": extension(ENCOUNTER, "Reference", reference("Encounter", row["encounter_id"])),
            "identifier": [number] if number else None,
            "status": status(row, STATUSES, "proposed"),
            "serviceType": [item] if item else None,
            "specialty": [department] if department else None,
            "start": time(start),
            "end": time(end),
            "minutesDuration": row["minutes"] or None,
            "participant": _participants(row, systems),
        }
    )


def _span(row: Row) -> tuple[datetime | None, datetime | None]:
    """Return start and end; either both or neither (constraint app-2). An unknown length is none."""
    start = row["start_at"]
    return start, None if start is None else start + timedelta(minutes=row["minutes"] or 0)


def _participants(row: Row, systems: Systems) -> list[Resource]:
    doctor = practitioner(row, "doctor", systems)
    patient = {"actor": reference("Patient", row["person_id"]), "status": "accepted"}
    return [patient, {"actor": doctor, "status": "accepted"}] if doctor else [patient]
