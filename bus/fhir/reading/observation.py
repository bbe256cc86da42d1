"""Observation → one result of a report."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from bus.fhir.extensions import AS_SENT, SUB_ID, UNIT, value_of
from bus.fhir.reading.elements import Reader, codes, given, inverse
from bus.fhir.resources.observation import FLAGS, INTERPRETATION, STATUSES
from consortium.records.model import Result

ELEMENTS = frozenset(
    {"identifier", "status", "category", "code", "subject", "encounter", "effectiveDateTime", "performer"}
    | {
        "valueQuantity",
        "valueString",
        "valueCodeableConcept",
        "valueInteger",
        "valueBoolean",
        "valueDateTime",
    }
    | {"dataAbsentReason", "interpretation", "referenceRange", "issued"}
)
_STATUSES = inverse(STATUSES, registered="preliminary", amended="corrected")
_FLAGS = {code: ours for ours, (code, _) in FLAGS.items()}
_LEFT = ("component", "hasMember", "valueRange", "valueRatio", "valueSampledData", "valueTime", "valuePeriod")
"""What would be lost of a result: refused, and not left out."""


def observation(reader: Reader) -> Result | None:
    """Read an Observation (R4 section 10.1); None where it is not complete."""
    resource = reader.resource
    for element in _LEFT:
        if element in resource:
            reader.wrong(element, "not kept here: send each value as an Observation", "not-supported")
    item = reader.coded("code", resource.get("code"))
    if item is None:
        reader.wrong("code", "it must say what was observed", "required")
        return None
    error = resource.get("status") == "entered-in-error"
    at = resource.get("effectiveDateTime")
    return Result(
        item=item,
        **_value(resource),
        **given(
            flag=_flag(reader),
            status=None if error else reader.word("status", resource.get("status"), _STATUSES),
            reference_range=_range(resource),
            observed_at=reader.time("effectiveDateTime", at),
            sub_id=value_of(resource, SUB_ID, "String"),
            deleted=error or None,
        ),
    )


def _value(resource: Any) -> dict[str, Any]:
    if (quantity := resource.get("valueQuantity")) is not None:
        return _quantity(resource, quantity)
    unit = value_of(resource, UNIT, "String")
    text = str(resource.get("valueString") or "")
    if unit and text.endswith(f" {unit}"):
        text = text[: -len(unit) - 1]
    elif not text:
        text = _other(resource)
    return given(value=text, unit=unit)


def _quantity(resource: Any, quantity: Any) -> dict[str, Any]:
    unit = quantity.get("unit") or quantity.get("code")
    if quantity.get("value") is None:
        return given(unit=unit)
    number = Decimal(quantity["value"])
    compared = quantity.get("comparator", "")
    text = value_of(resource, AS_SENT, "String") or f"{compared}{number:f}"
    return given(value=text, number=None if compared else number, unit=unit)


def _other(resource: Any) -> str:
    concept = resource.get("valueCodeableConcept") or {}
    coding = (concept.get("coding") or [{}])[0]
    if text := concept.get("text") or coding.get("display") or coding.get("code"):
        return str(text)
    found = (resource.get(name) for name in ("valueInteger", "valueBoolean", "valueDateTime"))
    value = next((one for one in found if one is not None), "")
    return str(value).lower() if isinstance(value, bool) else str(value)


def _flag(reader: Reader) -> str | None:
    concepts = reader.resource.get("interpretation", ())
    found = codes(concepts, INTERPRETATION)
    if concepts and not found:
        reader.wrong("interpretation", f"give a code of {INTERPRETATION}", "code-invalid")
    flag: str | None = reader.word("interpretation", found[0] if found else None, _FLAGS)
    return flag


def _range(resource: Any) -> str | None:
    for one in resource.get("referenceRange", ()):
        low, high = ((one.get(side) or {}).get("value") for side in ("low", "high"))
        text = one.get("text") or (f"{low}-{high}" if low is not None and high is not None else None)
        if text or low is not None or high is not None:
            return str(text or (f">={low}" if low is not None else f"<={high}"))
    return None
