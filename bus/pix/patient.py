"""PID of a feed → what a campus says of a patient (HL7 v2.5 §3.4.2, IHE ITI TF-2: 3.8, 3.30)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from bus.hl7.message import Segment
from bus.hl7.problem import DATA_TYPE, REQUIRED_FIELD, TABLE_VALUE, UNKNOWN_KEY
from bus.pix.domains import Domain, DomainError, Domains, Identifier, Repetition, repetitions
from bus.pix.problem import Fault, FaultsError
from bus.rules.converters import CONVERTERS
from consortium.records.model import Patient

NULL = '""'
"""HL7's "delete this"; a feed that says it is read as saying nothing."""
SEXES: Mapping[str, str] = {
    "M": "male",
    "F": "female",
    "O": "other",
    "A": "other",
    "U": "unknown",
    "N": "unknown",
}
"""HL7 table 0001."""
NO_VIP = frozenset({"N", "0"})
"""Of HL7 table 0099, which every campus fills itself: any other code protects whom it is said of."""

May = Callable[[str], bool]
"""Whether the sender may write patients of a campus."""


def own_number(segment: Segment, occurrence: int, field: int, domains: Domains, may: May) -> Identifier:
    """Return the number by which the sender knows a patient: PID-3 or MRG-1 of a campus it may write for.

    Every repetition's authority is checked. Of several numbers the medical record number (MR) counts, else
    the first. Numbers of other campuses, the consortium's and national ones are their owners' to say.

    Raises FaultsError: none; a repetition without number or authority; an authority that is not known or
    contradicts itself; a campus that is not the sender's.
    """
    found = list(_identified(segment, occurrence, field, domains))
    numbers = [(one, identifier) for one, identifier in found if identifier.domain.kind == "patient"]
    if not numbers:
        reason = (
            f"{segment.name}-{field} has no patient number of a campus: name its authority in component 4"
        )
        raise FaultsError(Fault(REQUIRED_FIELD, (segment.name, occurrence, field), "missing_field", reason))
    own = [(one, identifier) for one, identifier in numbers if may(str(identifier.domain.facility))]
    if not own:
        place = (segment.name, occurrence, field, numbers[0][0].place, 4)
        reason = "the patient number is of another campus than MSH-4: a campus feeds its own numbers alone"
        raise FaultsError(Fault(UNKNOWN_KEY, place, "wrong_campus", reason))
    own.sort(key=lambda pair: pair[0].type != "MR")
    return own[0][1]


def any_number(segment: Segment, occurrence: int, domains: Domains) -> Identifier:
    """Return the first patient number of PID-3, of whichever campus. Raises FaultsError as `own_number`."""
    return own_number(segment, occurrence, 3, domains, lambda _: True)


def patient(
    segment: Segment, occurrence: int, number: str, domains: Domains, vip: str | None = None
) -> Patient:
    """Read what PID says of a patient; absent fields say nothing. `vip`: PV1-16. Raises FaultsError."""
    read = _Reader(segment, occurrence)
    facts = {
        "name": read.text(5, lambda: _name(segment)),
        "sex": read.text(8, lambda: _sex(segment.get("8.1")), TABLE_VALUE),
        "birth_date": read.text(7, lambda: _converted("date", segment.get("7.1"))),
        "id_card": _card(segment, domains),
        "phone": _said(segment.get("13.1")) or _said(segment.get("13.12")),
        "address": _address(segment),
        "deceased": read.text(30, lambda: _converted("bool", segment.get("30"))),
        "vip": None if (code := _said(vip)) is None else code.upper() not in NO_VIP,
    }
    try:
        return Patient(number=number, **{name: value for name, value in facts.items() if value is not None})
    except ValidationError as error:
        what = ", ".join(str(one["loc"][0]) for one in error.errors() if one["loc"])
        reason = f"{what}: longer than it may be, or not of its type"
        raise FaultsError(Fault(DATA_TYPE, (segment.name, occurrence), "bad_field", reason)) from error


class _Reader:
    def __init__(self, segment: Segment, occurrence: int) -> None:
        self._segment = segment
        self._occurrence = occurrence

    def text(self, field: int, read: Callable[[], Any], condition: Any = DATA_TYPE) -> Any:
        try:
            return read()
        except ValueError as error:
            place = (self._segment.name, self._occurrence, field)
            reason = f"{self._segment.name}-{field} is {error}"
            raise FaultsError(Fault(condition, place, "bad_field", reason)) from error


def _identified(
    segment: Segment, occurrence: int, field: int, domains: Domains
) -> Iterator[tuple[Repetition, Identifier]]:
    for one in repetitions(segment, field):
        if one.type == "NI" and not any(one.authority) and one.value:
            yield one, Identifier(domains.card, one.value)
            continue
        place = (segment.name, occurrence, field, one.place)
        try:
            domain = one.domain(domains)
        except DomainError as error:
            reason = f"{segment.name}-{field}: {error}"
            raise FaultsError(Fault(UNKNOWN_KEY, (*place, 4), "unknown_domain", reason)) from error
        if one.value is None:
            reason = f"{segment.name}-{field} names an authority and no number"
            raise FaultsError(Fault(REQUIRED_FIELD, (*place, 1), "missing_field", reason))
        yield one, Identifier(domain, one.value)


def _card(segment: Segment, domains: Domains) -> str | None:
    """Return the resident ID card: by its OID, by its type, or in the field that HL7 v2.4 gave it."""
    for one in repetitions(segment, 3):
        domain: Domain | None = None
        if any(one.authority):
            domain = one.domain(domains)
        if domain is domains.card or (domain is None and one.type == "NI"):
            return one.value
    return _said(segment.get("19"))


def _name(segment: Segment) -> str | None:
    """Return the legal name (type L), else the first that is no pseudonym or alias."""
    types = segment.repetitions("5.7")
    ranked = sorted(range(len(types)), key=lambda n: {"L": 0, "": 1, "D": 2}.get(types[n], 3))
    for n in ranked:
        whole = segment.get(f"5({n + 1})")
        if whole and whole != NULL and (joined := CONVERTERS["name"](whole)):
            return str(joined)
    return None


def _sex(code: str | None) -> str | None:
    if code is None or code == NULL:
        return None
    if code not in SEXES:
        raise ValueError("no code of HL7 table 0001: M, F, O, U, A or N")
    return SEXES[code]


def _converted(converter: str, text: str | None) -> Any:
    return None if text is None or text == NULL else CONVERTERS[converter](text)


def _address(segment: Segment) -> str | None:
    """Join province, city, street, rest: the order in which a Chinese address is written."""
    return "".join(_said(segment.get(f"11.{n}")) or "" for n in (4, 3, 1, 2)) or None


def _said(text: str | None) -> str | None:
    return None if text is None or text == NULL else text
