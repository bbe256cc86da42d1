"""What a FHIR body is about, before it is read: the kinds of change that its resources make."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from consortium.records.model import Kind

PROTOCOL: Final = "fhir"
"""Of what is written at `/fhir`: recorded as it says itself, before any rule is asked."""
TYPE: Final = "fhir:"
"""How the types of these messages begin."""
_KINDS: Mapping[str, Kind] = {
    "Patient": Kind.PATIENT,
    "Encounter": Kind.ENCOUNTER,
    "ServiceRequest": Kind.ORDER,
    "DiagnosticReport": Kind.REPORT,
    "DocumentReference": Kind.DOCUMENT,
    "Appointment": Kind.APPOINTMENT,
    "ChargeItem": Kind.CHARGE,
}


def kinds(text: str) -> list[Kind]:
    """Return the kinds of a resource or Bundle, each once; none for what is no such JSON."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return []
    found = [kind for one in _resources(value) if (kind := _kind(one)) is not None]
    return sorted(set(found), key=list(Kind).index)


def _resources(value: Any) -> Iterator[Mapping[str, Any]]:
    if not isinstance(value, dict):
        return
    if value.get("resourceType") != "Bundle":
        yield value
        return
    entries = value.get("entry")
    for entry in entries if isinstance(entries, list) else ():
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if isinstance(resource, dict):
            yield resource


def _kind(resource: Mapping[str, Any]) -> Kind | None:
    kind = _KINDS.get(str(resource.get("resourceType")))
    links = resource.get("link")
    if kind is Kind.PATIENT and isinstance(links, list):
        given_up = any(isinstance(one, dict) and one.get("type") == "replaces" for one in links)
        return Kind.MERGE if given_up else kind
    return kind
