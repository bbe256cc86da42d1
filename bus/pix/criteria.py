"""QPD-3 of a demographics query → whom to look for (IHE ITI TF-2: 3.21.4.1.2.1). Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from uuid import UUID

from bus.hl7.message import Segment
from bus.hl7.problem import DATA_TYPE, REQUIRED_FIELD, TABLE_VALUE, UNKNOWN_KEY, Condition
from bus.pix.domains import DomainError, Domains
from bus.pix.patient import SEXES
from bus.pix.problem import Fault, FaultsError
from consortium.identity import names
from consortium.identity.service import PersonSearch

WILD = "*"
_PATH = re.compile(r"@?PID\.(\d+)(?:\.(\d+))?(?:\.(\d+))?")
_NOBODY = UUID(int=0)

Path = tuple[int, int, int]
"""Field, component, subcomponent; 1 where not given."""

FAMILY, GIVEN = (5, 1, 1), (5, 2, 1)
ADDRESS: tuple[Path, ...] = ((11, 1, 1), (11, 1, 2), (11, 2, 1), (11, 3, 1), (11, 4, 1))
PHONES: tuple[Path, ...] = ((13, 1, 1), (13, 7, 1), (13, 12, 1))
KNOWN = {
    (3, 1, 1),
    (3, 4, 1),
    (3, 4, 2),
    (3, 4, 3),
    FAMILY,
    GIVEN,
    (7, 1, 1),
    (8, 1, 1),
    (19, 1, 1),
    *ADDRESS,
    *PHONES,
}


@dataclass(frozen=True, slots=True)
class _Said:
    """The values by their path, and where each stands in QPD-3."""

    values: dict[Path, str] = field(default_factory=dict)
    places: dict[Path, int] = field(default_factory=dict)

    def get(self, path: Path) -> str | None:
        return self.values.get(path)

    def fault(self, path: Path, condition: Condition, code: str, reason: str) -> FaultsError:
        place = ("QPD", 1, 3, self.places.get(path, 1))
        return FaultsError(Fault(condition, place, code, f"QPD-3, @PID.{path[0]}: {reason}"))


def wanted(qpd: Segment, domains: Domains) -> PersonSearch:
    """Return whom a query looks for. Raises FaultsError with the repetition at fault.

    A criterion that is not supported is refused: without it more people would be found than were asked for.
    """
    said = _Said()
    for place, path, value in _parameters(qpd):
        if path not in KNOWN:
            reason = "is no criterion here; these are: PID.3, 5.1, 5.2, 7, 8, 11.1 to 11.4, 13, 19"
            fault = Fault(
                TABLE_VALUE, ("QPD", 1, 3, place), "unknown_criterion", f"QPD-3: @PID.{path[0]} {reason}"
            )
            raise FaultsError(fault)
        if path in said.values:
            raise said.fault(path, DATA_TYPE, "bad_criterion", "is given twice")
        said.values[path], said.places[path] = value, place
    search = _identified(PersonSearch(), said, domains)
    search = replace(search, name_like=_name(said), sex=_sex(said), phone=_phone(said))
    search = replace(search, address_like=tuple(_address(said)))
    if birth := said.get((7, 1, 1)):
        since, before = _days(birth, said)
        search = replace(search, birth_since=since, birth_before=before)
    _check_narrow(search)
    return search


def _parameters(qpd: Segment) -> Iterator[tuple[int, Path, str]]:
    for place in range(1, len(qpd.repetitions("3")) + 1):
        name, value = qpd.get(f"3({place}).1"), qpd.get(f"3({place}).2")
        if name is None:
            continue
        path = _PATH.fullmatch(name.strip())
        if path is None:
            reason = "QPD-3 names criteria as @PID.5.1.1^王"
            raise FaultsError(Fault(DATA_TYPE, ("QPD", 1, 3, place), "bad_criterion", reason))
        if value and value.strip(f"{WILD} "):
            field_, component, subcomponent = (int(part or 1) for part in path.groups())
            yield place, (field_, component, subcomponent), value.strip()


def _identified(search: PersonSearch, said: _Said, domains: Domains) -> PersonSearch:
    number = said.get((3, 1, 1))
    authority = tuple(said.get((3, 4, n)) for n in (1, 2, 3))
    card = said.get((19, 1, 1))
    if card:
        search = replace(search, id_card=card)
    if not number and not any(authority):
        return search
    if number and WILD in number:
        raise said.fault((3, 1, 1), DATA_TYPE, "bad_criterion", "an identifier has no wildcards")
    if not any(authority):
        return replace(search, number=number)
    try:
        domain = domains.named(*authority)
    except DomainError as error:
        path = next(p for p in ((3, 4, 1), (3, 4, 2), (3, 4, 3)) if said.get(p))
        raise said.fault(path, UNKNOWN_KEY, "unknown_domain", str(error)) from error
    if domain.kind == "patient":
        return replace(search, number=number, facility=domain.facility)
    if domain.kind == "id_card" and number:
        return replace(search, id_card=number)
    if domain.kind == "person" and number:
        return replace(search, ids=(_uuid(number),))
    return search if not number else replace(search, ids=(_NOBODY,))


def _uuid(text: str) -> UUID:
    """Return a person's id; for what is none, nobody's."""
    try:
        return UUID(text)
    except ValueError:
        return _NOBODY


def _name(said: _Said) -> str | None:
    """Return a pattern of LIKE over names as they are compared: Chinese family name first, Western last."""
    family, given = (names.key(said.get(path) or "") for path in (FAMILY, GIVEN))
    if not family and not given:
        return None
    if (family + given).isascii():
        return _like(given or WILD) + _like(family or WILD)
    if not given:  # a family name alone; or the whole name, where senders write it there
        given = WILD if len(family) <= 2 and WILD not in family else ""
    return _like(family or WILD) + _like(given)


def _like(text: str) -> str:
    for special in ("\\", "%", "_"):
        text = text.replace(special, f"\\{special}")
    return text.replace(WILD, "%")


def _sex(said: _Said) -> str | None:
    code = said.get((8, 1, 1))
    if code is None:
        return None
    if code not in SEXES:
        raise said.fault((8, 1, 1), TABLE_VALUE, "bad_criterion", "is no code of HL7 table 0001")
    return SEXES[code]


def _phone(said: _Said) -> str | None:
    return next((value for path in PHONES if (value := said.get(path))), None)


def _address(said: _Said) -> Iterator[str]:
    for path in ADDRESS:
        if (value := said.get(path)) and value.strip(WILD):
            yield f"%{_like(value.strip(WILD))}%"


def _days(text: str, said: _Said) -> tuple[date, date]:
    """Return the first day, and the first one no more, of YYYY, YYYYMM or YYYYMMDD."""
    digits = text.rstrip(WILD)[:8]
    shapes: Mapping[int, Callable[[], tuple[date, date]]] = {
        4: lambda: (date(int(digits), 1, 1), date(int(digits) + 1, 1, 1)),
        6: lambda: _month(int(digits[:4]), int(digits[4:])),
        8: lambda: _day(date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))),
    }
    try:
        if not digits.isascii() or not digits.isdigit():
            raise ValueError
        return shapes[len(digits)]()
    except (ValueError, KeyError, OverflowError) as error:
        reason = "is no date: write YYYYMMDD, YYYYMM or YYYY"
        raise said.fault((7, 1, 1), DATA_TYPE, "bad_criterion", reason) from error


def _month(year: int, month: int) -> tuple[date, date]:
    return date(year, month, 1), date(year + month // 12, month % 12 + 1, 1)


def _day(day: date) -> tuple[date, date]:
    return day, date.fromordinal(day.toordinal() + 1)


def _check_narrow(search: PersonSearch) -> None:
    """See that an index narrows it; a look at everybody is no question about somebody."""
    named = search.name_like is not None and len(search.name_like.replace("%", "")) > 0
    if named or any((search.ids, search.number, search.id_card, search.phone, search.birth_since)):
        return
    reason = "QPD-3 says too little: give an identifier, a name, a date of birth, a telephone or an ID card"
    raise FaultsError(Fault(REQUIRED_FIELD, ("QPD", 1, 3), "too_broad", reason))
