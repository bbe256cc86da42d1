"""Schedule and Slot: whose time is booked, and which times they offer. No patient is in them."""

from __future__ import annotations

from bus.fhir.shapes import Resource, organisation, time, without_empty
from bus.fhir.systems import Systems
from consortium.scheduling import model

ACTORS = {"expert": "Practitioner", "clinic": "HealthcareService", "bed": "Location", "room": "Location"}
STATUSES: dict[model.Offer, str] = {
    "free": "free",
    "held": "busy-tentative",
    "confirmed": "busy",
    "absent": "busy-unavailable",
}


def schedule(calendar: model.Resource, systems: Systems) -> Resource:
    """Make a Schedule (R4 section 12.9); its second actor is the campus, as a place."""
    place = organisation(calendar.organisation, systems) | {"type": "Location"}
    return {
        "resourceType": "Schedule",
        "id": str(calendar.id),
        "active": True,
        "serviceCategory": [{"text": calendar.kind}],
        "actor": [{"type": ACTORS[calendar.kind], "display": calendar.name}, place],
    }


def slot(one: model.Slot) -> Resource:
    """Make a Slot (R4 section 12.10)."""
    until = f"held until {time(one.held_until)}" if one.held_until else None
    return without_empty(
        {
            "resourceType": "Slot",
            "id": str(one.id),
            "schedule": {"reference": f"Schedule/{one.resource}"},
            "status": STATUSES[one.state],
            "start": time(one.start),
            "end": time(one.end),
            "comment": until,
        }
    )
