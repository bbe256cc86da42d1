"""ServiceRequest → an order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bus.fhir.extensions import DEPARTMENT, value_of
from bus.fhir.reading.elements import Reader, codes, given, inverse
from bus.fhir.reading.keys import identifiers
from bus.fhir.resources.service_request import CATEGORIES, SNOMED, STATUSES
from consortium.records.model import Order

ELEMENTS = frozenset(
    {"identifier", "status", "intent", "category", "priority", "code", "subject", "encounter", "authoredOn"}
    | {"requester"}
)
_STATUSES = inverse(STATUSES)
_KINDS = {code: ours for ours, (code, _) in CATEGORIES.items()}
_PRIORITIES = {"routine": "routine", "urgent": "urgent", "asap": "urgent", "stat": "stat"}


def service_request(reader: Reader) -> Order | None:
    """Read a ServiceRequest (R4 section 12.16); None where it is not complete."""
    resource = reader.resource
    item = reader.coded("code", resource.get("code"))
    if item is None:
        reader.wrong("code", "it must say what is ordered", "required")
        return None
    return Order(
        number=reader.key.number, kind=_kind(reader), item=item, **given(**ordered(reader, _STATUSES))
    )


def ordered(reader: Reader, statuses: Mapping[str, str]) -> dict[str, Any]:
    """Return what every request says of its order, by the fields of `Order`."""
    resource = reader.resource
    error = resource.get("status") == "entered-in-error"
    return {
        "filler_number": _filler(reader),
        "status": None if error else reader.word("status", resource.get("status"), statuses),
        "priority": reader.word("priority", resource.get("priority"), _PRIORITIES),
        "ordered_at": reader.time("authoredOn", resource.get("authoredOn")),
        "doctor": reader.practitioner(resource.get("requester")),
        "department": reader.coded("extension", value_of(resource, DEPARTMENT, "CodeableConcept")),
        "deleted": error or None,
    }


def _kind(reader: Reader) -> str:
    found = codes(reader.resource.get("category", ()), SNOMED)
    return next((_KINDS[code] for code in found if code in _KINDS), "other")


def _filler(reader: Reader) -> str | None:
    system = reader.links.systems.of(reader.key.facility, "filler")
    found = (one.get("value") for one in identifiers(reader.resource) if one.get("system") == system)
    return next(found, None)
