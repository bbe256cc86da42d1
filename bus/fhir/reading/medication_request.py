"""MedicationRequest → an order of a medicine."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from bus.fhir.reading.elements import Reader, given, inverse
from bus.fhir.reading.service_request import ordered
from bus.fhir.resources.medication_request import STATUSES
from consortium.records.model import Order

ELEMENTS = frozenset(
    {"identifier", "status", "intent", "priority", "medicationCodeableConcept", "subject", "encounter"}
    | {"authoredOn", "requester", "groupIdentifier", "dosageInstruction", "dispenseRequest"}
)
_STATUSES = inverse(STATUSES, stopped="cancelled", **{"on-hold": "active"})
_DAYS = {"d": 1, "wk": 7}
"""Units (UCUM) in which a course of treatment is taken."""


def medication_request(reader: Reader) -> Order | None:
    """Read a MedicationRequest (R4 section 11.1); None where it is not complete."""
    resource = reader.resource
    item = reader.coded("medicationCodeableConcept", resource.get("medicationCodeableConcept"))
    if item is None:
        reader.wrong("medicationCodeableConcept", "it must name the medicine by a code", "required")
        return None
    return Order(
        number=reader.key.number,
        kind="medication",
        item=item,
        **given(
            **ordered(reader, _STATUSES),
            prescription=(resource.get("groupIdentifier") or {}).get("value"),
            **_dosage(reader),
            **_amount("quantity", (resource.get("dispenseRequest") or {}).get("quantity")),
        ),
    )


def _dosage(reader: Reader) -> dict[str, Any]:
    found = reader.resource.get("dosageInstruction", ())
    if len(found) > 1:
        reader.wrong("dosageInstruction", "only one is kept: say the others in its text", "not-supported")
    if not found:
        return {}
    dosage = found[0]
    timing = dosage.get("timing") or {}
    doses = dosage.get("doseAndRate") or [{}]
    return {
        "instructions": dosage.get("text"),
        "route": reader.coded("dosageInstruction[0].route", dosage.get("route")),
        "frequency": reader.coded("dosageInstruction[0].timing.code", timing.get("code")),
        "days": _days(reader, (timing.get("repeat") or {}).get("boundsDuration")),
        **_amount("dose", doses[0].get("doseQuantity")),
    }


def _amount(name: str, quantity: Any) -> dict[str, Any]:
    if not quantity:
        return {}
    value = quantity.get("value")
    unit = quantity.get("unit") or quantity.get("code")
    return {name: None if value is None else Decimal(value), f"{name}_unit": unit}


def _days(reader: Reader, duration: Any) -> int | None:
    if not duration or duration.get("value") is None:
        return None
    days = _DAYS.get(str(duration.get("code") or duration.get("unit")))
    value = Decimal(duration["value"])
    if days is None or value != value.to_integral_value():
        where = "dosageInstruction[0].timing.repeat.boundsDuration"
        reader.wrong(where, "give whole days (d) or weeks (wk)")
        return None
    return int(value) * days
