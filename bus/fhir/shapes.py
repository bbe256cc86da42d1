"""FHIR data types made from columns. What is not known is left out, never empty."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from bus.fhir.systems import IDENTIFIER_TYPE, Systems

Row = Mapping[str, Any]
Resource = dict[str, Any]
LOCAL = ZoneInfo("Asia/Shanghai")
"""Times are shown in the hospitals' zone; the offset is in them."""


def without_empty(resource: Resource) -> Resource:
    """Leave out what is None, empty text, list or object; FHIR R4 knows no empty elements."""
    return {
        name: value for name, value in resource.items() if value is not None and value not in ("", [], {})
    }


def time(value: datetime | None) -> str | None:
    """Return a dateTime or instant with seconds, and microseconds where there are any."""
    return None if value is None else value.astimezone(LOCAL).isoformat()


def meta(row: Row, source: str | None = None) -> Resource:
    """Return version, time of the last change, and `meta.source`: the domain of the campus it comes from."""
    version = row.get("version")
    return without_empty(
        {
            "versionId": str(version) if version else None,
            "lastUpdated": time(row["changed_at"]),
            "source": source,
        }
    )


def reference(kind: str, id_: UUID | None) -> Resource | None:
    """Return a relative reference."""
    return None if id_ is None else {"reference": f"{kind}/{id_}"}


def identifier(
    system: str, value: str | None, type_: str | None = None, use: str = "usual"
) -> Resource | None:
    """Return an identifier; `type_` is a code of HL7 v2 table 0203."""
    if not value:
        return None
    kind = {"coding": [{"system": IDENTIFIER_TYPE, "code": type_}]} if type_ else None
    return without_empty({"use": use, "type": kind, "system": system, "value": value})


def concept(row: Row, prefix: str, systems: Systems) -> Resource | None:
    """Return the CodeableConcept of the columns `<prefix>_code`, `_name`, `_system`."""
    return coded(row, row[f"{prefix}_code"], row[f"{prefix}_name"], row[f"{prefix}_system"], systems)


def coded(
    row: Row, code: str | None, name: str | None, system: str | None, systems: Systems
) -> Resource | None:
    """Return a CodeableConcept; a code without a system is of the campus's own dictionary."""
    if not code:
        return {"text": name} if name else None
    own = systems.of(row["facility"], "dictionary")
    coding = without_empty({"system": system or own, "code": code, "display": name})
    return without_empty({"coding": [coding], "text": name})


def quantity(value: Any, unit: str | None) -> Resource | None:
    """Return a Quantity with its unit as the campus writes it."""
    found = without_empty({"value": value, "unit": unit})
    return found or None


def practitioner(row: Row, prefix: str, systems: Systems) -> Resource | None:
    """Return a logical reference to the member of staff of the columns `<prefix>_number`, `_name`."""
    number, name = row[f"{prefix}_number"], row[f"{prefix}_name"]
    if not number and not name:
        return None
    known = identifier(systems.of(row["facility"], "staff"), number)
    return without_empty({"type": "Practitioner", "identifier": known, "display": name})


def organisation(facility: str, systems: Systems) -> Resource:
    """Return a logical reference to a campus."""
    return {
        "type": "Organization",
        "identifier": {"system": systems.person, "value": facility},
        "display": systems.campus_name(facility),
    }


def status(row: Row, names: Mapping[str, str], unknown: str = "unknown") -> str:
    """Return the status by FHIR's name; what was entered in error says so."""
    return "entered-in-error" if row["deleted"] else names.get(row["status"] or "", unknown)
