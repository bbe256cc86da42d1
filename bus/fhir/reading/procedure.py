"""Procedure → an operation, an anaesthesia, or another thing done."""

from __future__ import annotations

from typing import Any

from bus.fhir.extensions import DEPARTMENT, INCISION, LEVEL, ORDER, PART_OF, value_of
from bus.fhir.reading.elements import Reader, codes, given, inverse
from bus.fhir.resources.procedure import CATEGORIES, SNOMED, STATUSES
from consortium.records.model import Procedure

ELEMENTS = frozenset(
    {"identifier", "status", "category", "code", "subject", "encounter", "performedPeriod", "performer"}
    | {"performedDateTime", "bodySite", "note"}
)
_STATUSES = inverse(STATUSES, stopped="cancelled", **{"on-hold": "in_progress"})
_KINDS = {code: ours for ours, (code, _) in CATEGORIES.items()}


def procedure(reader: Reader) -> Procedure | None:
    """Read a Procedure (R4 section 9.3); None where it is not complete."""
    resource = reader.resource
    item = reader.coded("code", resource.get("code"))
    if item is None:
        reader.wrong("code", "it must say what was done", "required")
        return None
    error = resource.get("status") == "entered-in-error"
    period = resource.get("performedPeriod") or {"start": resource.get("performedDateTime")}
    return Procedure(
        number=reader.key.number,
        kind=_kind(resource),
        item=item,
        **given(
            status=None if error else reader.word("status", resource.get("status"), _STATUSES),
            site=reader.coded("bodySite[0]", next(iter(resource.get("bodySite", ())), None)),
            start=reader.time("performedPeriod.start", period.get("start")),
            end=reader.time("performedPeriod.end", period.get("end")),
            doctor=reader.practitioner(_performer(resource)),
            department=reader.coded("extension", value_of(resource, DEPARTMENT, "CodeableConcept")),
            order_number=_number(resource, ORDER),
            part_of=_number(resource, PART_OF),
            level=value_of(resource, LEVEL, "String"),
            incision=value_of(resource, INCISION, "String"),
            note="\n".join(one["text"] for one in resource.get("note", ())) or None,
            deleted=error or None,
        ),
    )


def _kind(resource: Any) -> str:
    found = codes([resource.get("category") or {}], SNOMED)
    return next((_KINDS[code] for code in found if code in _KINDS), "other")


def _performer(resource: Any) -> Any:
    return next((one.get("actor") for one in resource.get("performer", ())), None)


def _number(resource: Any, name: str) -> str | None:
    return (value_of(resource, name, "Identifier") or {}).get("value")
