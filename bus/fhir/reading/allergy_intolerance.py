"""AllergyIntolerance → an allergy."""

from __future__ import annotations

from typing import Any

from bus.fhir.extensions import REACTION, value_of
from bus.fhir.reading.elements import Reader, codes, given
from bus.fhir.resources.allergy_intolerance import CLINICAL, VERIFICATION
from consortium.records.model import Allergy

ELEMENTS = frozenset(
    {"identifier", "clinicalStatus", "verificationStatus", "category", "criticality", "code", "patient"}
    | {"encounter", "recordedDate", "recorder", "reaction"}
)
_CLINICAL = {"active": "active", "inactive": "inactive", "resolved": "inactive"}


def allergy_intolerance(reader: Reader) -> Allergy | None:
    """Read an AllergyIntolerance (R4 section 9.1); None where it is not complete."""
    resource = reader.resource
    item = reader.coded("code", resource.get("code"))
    if item is None:
        reader.wrong("code", "it must say what is not borne", "required")
        return None
    verified = codes([resource.get("verificationStatus") or {}], VERIFICATION)
    error = "entered-in-error" in verified
    return Allergy(
        number=reader.key.number,
        item=item,
        **given(
            status=None if error else _status(reader, verified),
            category=next(iter(resource.get("category", ())), None),
            criticality=_criticality(resource),
            reaction=value_of(resource, REACTION, "String") or _reaction(resource),
            noted_at=reader.time("recordedDate", resource.get("recordedDate")),
            author=reader.practitioner(resource.get("recorder")),
            deleted=error or None,
        ),
    )


def _status(reader: Reader, verified: list[str]) -> str | None:
    if "refuted" in verified:
        return "refuted"
    found = codes([reader.resource.get("clinicalStatus") or {}], CLINICAL)
    status: str | None = reader.word("clinicalStatus", found[0] if found else None, _CLINICAL)
    return status


def _criticality(resource: Any) -> str | None:
    found = resource.get("criticality")
    return None if found == "unable-to-assess" else found


def _reaction(resource: Any) -> str | None:
    """Return the first words of each reaction: what it says, or how it showed."""
    said = []
    for one in resource.get("reaction", ()):
        shown = [_words(concept) for concept in one.get("manifestation", ())]
        said.append(one.get("description") or "、".join(filter(None, shown)))
    return "；".join(filter(None, said)) or None


def _words(concept: Any) -> str:
    coding = (concept.get("coding") or [{}])[0]
    return str(concept.get("text") or coding.get("display") or coding.get("code") or "")
