"""Patient → what a campus knows of a patient, and which number it gives up."""

from __future__ import annotations

from typing import Any

from bus.fhir.extensions import vip
from bus.fhir.reading.elements import Reader, given
from bus.fhir.reading.keys import identifiers
from bus.fhir.shapes import Resource
from bus.fhir.systems import ID_CARD
from consortium.records.model import Merge, Patient, Sex

ELEMENTS = frozenset(
    {"identifier", "active", "name", "telecom", "gender", "birthDate", "address", "link"}
    | {"deceasedBoolean", "deceasedDateTime"}
)
CELEBRITY = "CEL"
"""v3-ActCode, ActInformationSensitivityPolicy: people of public interest."""
_SEXES: dict[str, Sex] = {"male": "male", "female": "female", "other": "other", "unknown": "unknown"}


def patient(reader: Reader) -> Patient:
    """Read a Patient (R4 section 8.1). Absent elements say nothing."""
    resource = reader.resource
    return Patient(
        number=reader.key.number,
        **given(
            name=_name(resource),
            sex=reader.word("gender", resource.get("gender"), _SEXES),
            birth_date=reader.day("birthDate", resource.get("birthDate")),
            id_card=_id_card(resource),
            phone=_phone(resource),
            address=_address(resource),
            deceased=_deceased(resource),
            vip=_vip(resource),
        ),
    )


def merge(reader: Reader) -> Merge | None:
    """Return which number is given up for which, if any (R4 section 8.1.4): this one, which is replaced-by
    another (ITI-104, Resolve Duplicate Patient), or the one that this replaces.
    """
    if replaced(reader.resource):
        surviving = survivor(reader)
        return Merge(surviving=surviving, retired=reader.key.number) if surviving else None
    retired = _linked(reader, "replaces")
    return Merge(surviving=reader.key.number, retired=retired) if retired else None


def replaced(resource: Resource) -> bool:
    """Whether another number stands for this patient from now on."""
    return any(one.get("type") == "replaced-by" for one in resource.get("link", ()))


def survivor(reader: Reader) -> str | None:
    """Return the number that stands for this patient from now on; what is wrong with it is an issue."""
    if reader.resource.get("active") is not False:
        reader.wrong("active", "a patient that is replaced-by another is active: false", "business-rule")
    return _linked(reader, "replaced-by")


def _linked(reader: Reader, type_: str) -> str | None:
    links = [one for one in reader.resource.get("link", ()) if one.get("type") == type_]
    if len(links) > 1:
        reader.wrong("link", f"one {type_} at a time: send the others by themselves", "business-rule")
    return reader.number_of("link", "Patient", links[0].get("other")) if links else None


def _name(resource: Any) -> str | None:
    names = sorted(resource.get("name", ()), key=lambda one: one.get("use") != "official")
    for one in names:
        if one.get("text"):
            return str(one["text"])
        parts = [one.get("family") or "", *one.get("given", ())]
        joined = ("" if any(ord(c) > 0x2E7F for c in "".join(parts)) else " ").join(filter(None, parts))
        if joined:
            return joined
    return None


def _id_card(resource: Any) -> str | None:
    cards = [one.get("value") for one in identifiers(resource) if one.get("system") == ID_CARD]
    return cards[0] if cards else None


def _phone(resource: Any) -> str | None:
    phones = [one for one in resource.get("telecom", ()) if one.get("system") in ("phone", "sms", None)]
    return phones[0].get("value") if phones else None


def _address(resource: Any) -> str | None:
    for one in resource.get("address", ()):
        parts = [one.get("state"), one.get("city"), one.get("district"), *one.get("line", ())]
        if text := one.get("text") or "".join(filter(None, parts)):
            return str(text)
    return None


def _vip(resource: Any) -> bool | None:
    """A VIP by importance; or by a security label for people of public interest."""
    labels = resource.get("meta", {}).get("security", ())
    return True if any(label.get("code") == CELEBRITY for label in labels) else vip(resource)


def _deceased(resource: Any) -> bool | None:
    if "deceasedDateTime" in resource:
        return True
    found: bool | None = resource.get("deceasedBoolean")
    return found
