"""Appointment → a booked visit or examination."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bus.fhir.reading.elements import Reader, given, inverse
from bus.fhir.resources.appointment import STATUSES
from consortium.records.model import Appointment

ELEMENTS = frozenset(
    {"identifier", "status", "serviceType", "specialty", "start", "end", "minutesDuration", "participant"}
)
_STATUSES = inverse(
    STATUSES, **{"proposed": "booked", "pending": "booked", "arrived": "booked", "checked-in": "booked"}
)


def appointment(reader: Reader) -> Appointment:
    """Read an Appointment (R4 section 12.13)."""
    resource = reader.resource
    start = reader.time("start", resource.get("start"))
    end = reader.time("end", resource.get("end"))
    error = resource.get("status") == "entered-in-error"
    return Appointment(
        number=reader.key.number,
        **given(
            status=None if error else reader.word("status", resource.get("status"), _STATUSES),
            item=reader.coded("serviceType[0]", next(iter(resource.get("serviceType", ())), None)),
            department=reader.coded("specialty[0]", next(iter(resource.get("specialty", ())), None)),
            doctor=reader.practitioner(actor(resource, "Practitioner")),
            start=start,
            minutes=resource.get("minutesDuration") or _minutes(start, end),
            deleted=error or None,
        ),
    )


def actor(resource: Any, kind: str) -> Any:
    """Return the first participant of a type: by the reference's `type`, or its address."""
    for one in resource.get("participant", ()):
        found = one.get("actor") or {}
        if found.get("type") == kind or str(found.get("reference", "")).startswith((f"{kind}/", f"{kind}?")):
            return found
    return None


def _minutes(start: datetime | None, end: datetime | None) -> int | None:
    return int((end - start).total_seconds() // 60) or None if start and end and end > start else None
