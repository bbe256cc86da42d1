"""Patient registry messages: a patient added, revised, or merged (ITI-44, PRPA_MT201301UV02 … 201303UV02)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bus.fhir.systems import Systems
from bus.hl7v3.domains import known
from bus.hl7v3.elements import (
    Element,
    Problem,
    ProblemError,
    below,
    code,
    day,
    first,
    identifier,
    joined,
    needed,
    path,
    texts,
    truth,
)
from bus.hl7v3.names import MERGE, UNKNOWN_KEY
from consortium.records.model import Change, Kind, Merge, Patient, Sex

EVENT = "controlActProcess/subject/registrationEvent"
GENDERS: dict[str, Sex] = {"M": "male", "F": "female", "UN": "other"}
_ADDRESS = (
    "country",
    "state",
    "city",
    "county",
    "precinct",
    "streetName",
    "streetAddressLine",
    "houseNumber",
)


def change(message: Element, interaction: str, facility: str, systems: Systems) -> Change:
    """Return what a registry message says of a patient of one campus.

    Raises:
        StructureError: it lacks what it is made of.
        ProblemError: a domain that is none of ours, or a value that is not kept so.
    """
    event = needed(message, EVENT)
    element = needed(event, "subject1/patient")
    number = _number(list(below(element, "id")), element, facility, systems)
    if interaction == MERGE:
        prior = needed(event, "replacementOf/priorRegistration/subject1/priorRegisteredRole")
        retired = _number(list(below(prior, "id")), prior, facility, systems)
        merge = Merge(surviving=number, retired=retired)
        return Change(kind=Kind.MERGE, patient=Patient(number=number), merge=merge)
    said = {name: value for name, value in _said(element, systems).items() if value is not None}
    return Change(kind=Kind.PATIENT, patient=Patient(number=number, **said))


def _number(ids: Sequence[Element], where: Element, facility: str, systems: Systems) -> str:
    """Return the campus's number among the ids of a patient."""
    found = [known(identifier(one), systems) for one in ids]
    here = ("patient", facility)
    numbers = {one.value for one in found if one is not None and (one.domain, one.facility) == here}
    if len(numbers) == 1 and (number := numbers.pop()):
        return number
    at = path(ids[0]) if ids else f"{path(where)}/id"
    if len(numbers) > 1:
        raise ProblemError(Problem("205", "two numbers of one campus for one patient: merge them first", at))
    if any(one is not None for one in found):
        raise ProblemError(Problem(UNKNOWN_KEY, "no id is of the campus that this account feeds", at))
    raise ProblemError(Problem(UNKNOWN_KEY, "the domain is not known here: give the campus's root", at))


def _said(patient: Element, systems: Systems) -> dict[str, Any]:
    person = first(patient, "patientPerson")
    said = {"id_card": _card(patient, systems), "vip": _vip(first(patient, "veryImportantPersonCode"))}
    if person is None:
        return said
    return said | {
        "name": name(list(below(person, "name"))),
        "sex": _sex(first(person, "administrativeGenderCode")),
        "birth_date": _day(first(person, "birthTime")),
        "phone": phone(list(below(person, "telecom"))),
        "address": address(list(below(person, "addr"))),
        "deceased": _deceased(person),
    }


def name(names: Sequence[Element]) -> str | None:
    """Return a person's name (PN): the legal one in characters before others; its parts without blanks where
    they are Chinese.
    """
    ranked = sorted(names, key=lambda one: (_spelling(one), "L" not in one.get("use", "").split()))
    for one in ranked:
        if found := joined(texts(one, "family", "given")) or (one.text or "").strip():
            return found
    return None


def _spelling(element: Element) -> bool:
    """Whether a name is another's spelling in letters or syllables."""
    return bool({"ABC", "SYL"} & set(element.get("use", "").split()))


def _sex(element: Element | None) -> Sex | None:
    value = code(element)
    if element is None or value is None:
        return None
    if value not in GENDERS:
        raise ProblemError(Problem("SYN103", "M, F or UN", path(element)))
    return GENDERS[value]


def _day(element: Element | None) -> Any:
    return None if element is None or element.get("value") is None else day(element)


def phone(telecoms: Sequence[Element]) -> str | None:
    """Return the first telephone number (TEL)."""
    for one in telecoms:
        scheme, colon, rest = one.get("value", "").partition(":")
        if not colon and scheme:
            return scheme
        if scheme.lower() == "tel" and rest:
            return rest
    return None


def address(addresses: Sequence[Element]) -> str | None:
    """Return the first address (AD) as one text, as it is written here: the largest part first."""
    for one in addresses:
        if found := joined(texts(one, *_ADDRESS)) or (one.text or "").strip():
            return found
    return None


def _card(patient: Element, systems: Systems) -> str | None:
    others = below(patient, "patientPerson/asOtherIDs/id")
    ids = [known(identifier(one), systems) for one in (*below(patient, "id"), *others) if one.get("root")]
    return next((one.value for one in ids if one and one.domain == "id_card" and one.value), None)


def _vip(element: Element | None) -> bool | None:
    """Any importance (2.16.840.1.113883.5.1075: VIP, GOVT, FOR, …) protects; NA says that there is none."""
    if element is None:
        return None
    if element.get("nullFlavor") is not None:
        return False if element.get("nullFlavor") == "NA" else None
    return code(element) is not None


def _deceased(person: Element) -> bool | None:
    if first(person, "deceasedTime") is not None:
        return True
    element = first(person, "deceasedInd")
    return None if element is None or element.get("value") is None else truth(element)
