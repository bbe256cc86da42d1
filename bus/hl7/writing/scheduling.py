"""SCH and its resources (HL7 v2.5 chapter 10)."""

from __future__ import annotations

from collections.abc import Iterator

from bus.hl7.writing.fields import Segment, coded, number, segment, staff, text, time
from consortium.records.model import Appointment

EVENTS = {"booked": "S12", "cancelled": "S15", "fulfilled": "S14", "no_show": "S26"}
DELETED = "S17"
STATUSES = {"booked": "Booked", "cancelled": "Cancelled", "fulfilled": "Complete", "no_show": "Noshow"}
"""HL7 table 0278."""


def event(appointment: Appointment) -> str:
    """Return the trigger event."""
    return DELETED if appointment.deleted else EVENTS[appointment.status]


def schedule(found: Appointment) -> Segment:
    """Return SCH."""
    minutes, start = number(found.minutes), time(found.start)
    return segment(
        "SCH",
        {
            1: text(found.number),
            2: text(found.number),
            7: coded(found.item),
            9: minutes,
            10: "min" if minutes else "",
            11: f"^^{minutes}^{start}" if minutes or start else "",
            16: staff(found.doctor),
            25: STATUSES["cancelled" if found.deleted else found.status],
        },
    )


def resources(found: Appointment) -> Iterator[Segment]:
    """Give RGS, and AIS, AIG and AIP: the service, the department, the doctor."""
    yield segment("RGS", {1: "1", 2: "A"})
    if found.item is not None:
        fields = {1: "1", 2: "A", 3: coded(found.item), 4: time(found.start), 7: number(found.minutes)}
        yield segment("AIS", fields | ({8: "min"} if found.minutes is not None else {}))
    if found.department is not None:
        yield segment("AIG", {1: "1", 2: "A", 3: coded(found.department), 4: "DEPT"})
    if found.doctor is not None:
        yield segment("AIP", {1: "1", 2: "A", 3: staff(found.doctor)})
