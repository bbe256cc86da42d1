"""The small parts of metadata and what they are in FHIR: codes, times, ids, authors (MHD 4.2 §2:3.65)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from bus.fhir.shapes import Resource, time, without_empty
from consortium.documents.hl7types import OID
from consortium.documents.model import Code

MHD = "https://profiles.ihe.net/ITI/MHD/StructureDefinition/"
LIST_TYPES = "https://profiles.ihe.net/ITI/MHD/CodeSystem/MHDlistTypes"
DESIGNATION = f"{MHD}ihe-designationType"
SOURCE_ID = f"{MHD}ihe-sourceId"
RECIPIENT = f"{MHD}ihe-intendedRecipient"
URI_SYSTEM = "urn:ietf:rfc:3986"
URN_OID = "urn:oid:"

_SYSTEMS = {
    "2.16.840.1.113883.6.1": "http://loinc.org",
    "2.16.840.1.113883.6.96": "http://snomed.info/sct",
    "2.16.840.1.113883.5.25": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
    "1.2.840.10008.2.16.4": "http://dicom.nema.org/resources/ontology/DCM",
    "1.3.6.1.4.1.19376.1.2.3": "http://ihe.net/fhir/ihe.formatcode.fhir/CodeSystem/formatcode",
}
"""Code systems that FHIR knows by another name than their OID."""
_SCHEMES = {system: oid for oid, system in _SYSTEMS.items()}
_DATE_TIME = re.compile(
    r"\d{4}(-\d\d(-\d\d(T\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d))?)?)?",
)
_DAY = 8
"""Length of a DTM to the day."""


def system_of(scheme: str) -> str:
    """Return the FHIR system of a coding scheme, an OID or a name."""
    return _SYSTEMS.get(scheme) or (f"{URN_OID}{scheme}" if OID.fullmatch(scheme) else scheme)


def scheme_of(system: str) -> str:
    """Return the coding scheme of a FHIR system."""
    return _SCHEMES.get(system) or system.removeprefix(URN_OID)


def coding(code: Code) -> Resource:
    """Show a code as Coding."""
    return without_empty({"system": system_of(code.scheme), "code": code.code, "display": code.display})


def concept(code: Code) -> Resource:
    """Show a code as CodeableConcept."""
    return {"coding": [coding(code)]}


def code_of(value: Any) -> Code | None:
    """Read a Coding, or the first coding of a CodeableConcept; None where there is no code."""
    found = value if isinstance(value, dict) else {}
    codings = found.get("coding") if "coding" in found else [found]
    for one in codings if isinstance(codings, list) else ():
        if isinstance(one, dict) and one.get("code"):
            display = one.get("display") or found.get("text")
            return Code(str(one["code"]), scheme_of(str(one.get("system", ""))), display)
    return None


def codes_of(values: Any) -> tuple[Code, ...]:
    """Read a list of CodeableConcepts."""
    found = (code_of(value) for value in (values if isinstance(values, list) else ()))
    return tuple(code for code in found if code is not None)


def shown_time(dtm: str | None) -> str | None:
    """Show a DTM (UTC) as dateTime: as exact as it is, in the hospitals' time where it has an hour."""
    if not dtm:
        return None
    if len(dtm) <= _DAY:
        return "-".join(part for part in (dtm[:4], dtm[4:6], dtm[6:8]) if part)
    whole = dtm + "00" * ((14 - len(dtm)) // 2)
    return time(datetime.strptime(whole, "%Y%m%d%H%M%S").replace(tzinfo=UTC))


def dtm_of(value: Any) -> str | None:
    """Read a dateTime or instant as DTM (UTC); None where there is none, or what is none."""
    if not isinstance(value, str) or _DATE_TIME.fullmatch(value) is None:
        return None
    if "T" not in value:
        return value.replace("-", "")
    return datetime.fromisoformat(value).astimezone(UTC).strftime("%Y%m%d%H%M%S")


def unique_id(value: str) -> Resource:
    """Show a uniqueId: an OID as a URI."""
    written = f"{URN_OID}{value}" if OID.fullmatch(value) else value
    return {"use": "usual", "system": URI_SYSTEM, "value": written}


def entry_uuid(value: str) -> Resource:
    """Show an entryUUID."""
    return {"use": "official", "system": URI_SYSTEM, "value": value}


def unique_id_of(identifiers: Sequence[Any]) -> str | None:
    """Return the uniqueId among identifiers: the one that is not official."""
    for one in identifiers:
        if isinstance(one, dict) and one.get("value") and one.get("use") != "official":
            return str(one["value"]).removeprefix(URN_OID)
    return None
