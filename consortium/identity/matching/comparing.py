"""On which level the fields of a pair are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date

from rapidfuzz.distance import DamerauLevenshtein, JaroWinkler
from rapidfuzz.fuzz import token_sort_ratio

from consortium.identity.matching.model import MISSING, FieldName
from consortium.identity.matching.values import Address, Comparable, Name

Vector = Mapping[FieldName, str]
"""The level of every field: one of its `LEVELS`, or `MISSING`."""

LATIN_ALIKE = 0.92
"""Jaro-Winkler similarity from which Latin names are `near`: Mohammed and Muhammad."""
PART_ALIKE = 0.8
"""Share of characters from which two names of four or more characters are `near`."""


def compare(left: Comparable, right: Comparable) -> Vector:
    """Return on which level every field of a pair is; the order of the two does not matter."""
    return {field: level(left, right) for field, level in BY_FIELD.items()}


def compare_names(left: Comparable, right: Comparable) -> str:
    """Compare names.

    - `exact`: the same characters, simplified or traditional.
    - `former`: one side's name is an earlier name of the other.
    - `homophone`: other characters that can be read the same (张伟, 章玮, Zhang Wei).
    - `near`: one of three or more characters differs, is missing or swapped with its neighbour; Latin names
      or the parts of a minority name that are spelt alike.
    - `surname`: only the surname is the same, or only the given name.
    """
    one, other = left.name, right.name
    if one is None or other is None:
        return MISSING
    if one.text == other.text:
        return "exact"
    if any(one.text == n.text for n in right.former_names) or any(
        other.text == n.text for n in left.former_names
    ):
        return "former"
    if not one.readings.isdisjoint(other.readings):
        return "homophone"
    if _near(one, other):
        return "near"
    same_part = one.surname == other.surname or (one.given == other.given and len(one.given) > 1)
    return "surname" if same_part else "differs"


def strangers(one: Name, other: Name) -> bool:
    """Whether two names have so little in common that no slip of the pen explains it: less than half of the
    characters, and not how they sound.
    """
    if not one.readings.isdisjoint(other.readings):
        return False
    return bool(DamerauLevenshtein.normalized_similarity(one.text, other.text) < 0.5)


def compare_birth_dates(left: Comparable, right: Comparable) -> str:
    """Compare dates of birth.

    - `former`: one side's date is an earlier date of the other.
    - `typo`: month and day swapped, one digit wrong, or the years one apart (reckoned in the lunar year).
    - `year`: the same year, and one of the two is 1 January: only the year was known.
    """
    one, other = left.birth_date, right.birth_date
    if one is None or other is None:
        return MISSING
    if one == other:
        return "exact"
    if one in right.former_birth_dates or other in left.former_birth_dates:
        return "former"
    if one.year == other.year and (_placeholder(one) or _placeholder(other)):
        return "year"
    return "typo" if _mistyped(one, other) else "differs"


def compare_cards(left: Comparable, right: Comparable) -> str:
    """Compare ID cards.

    - `exact`: the same valid number, and neither side's birth date or sex contradicts it.
    - `doubtful`: the same valid number, but contradicted: borrowed, or a parent's.
    - `near`: one valid, the other one keystroke away, or neither valid and the same.
    """
    one, other = left.card_as_sent, right.card_as_sent
    if one is None or other is None:
        return MISSING
    if left.card is not None and left.card == right.card:
        return "doubtful" if left.card_doubted or right.card_doubted else "exact"
    if left.card in right.former_cards or right.card in left.former_cards:
        return "former"
    invalid = left.card is None or right.card is None
    if invalid and DamerauLevenshtein.distance(left.card or one, right.card or other, score_cutoff=1) <= 1:
        return "near"
    return "differs" if left.card is not None and right.card is not None else MISSING


def compare_addresses(left: Comparable, right: Comparable) -> str:
    """Compare addresses.

    - `near`: most of the words and every number are the same, in whatever order they are said.
    - `area`: the same district or county.
    """
    one, other = left.address, right.address
    if one is None or other is None:
        return MISSING
    if one.text == other.text:
        return "exact"
    if any(one.text == a.text for a in right.former_addresses) or any(
        other.text == a.text for a in left.former_addresses
    ):
        return "former"
    if _alike(one, other):
        return "near"
    return "area" if one.area and one.area == other.area else "differs"


def _sexes(left: Comparable, right: Comparable) -> str:
    if left.sex is None or right.sex is None:
        return MISSING
    return "exact" if left.sex == right.sex else "differs"


def _phones(left: Comparable, right: Comparable) -> str:
    """`exact`: they share one; `former`: one side had it earlier."""
    if not left.phones or not right.phones:
        return MISSING
    if not left.phones.isdisjoint(right.phones):
        return "exact"
    crossed = not left.phones.isdisjoint(right.former_phones) or not right.phones.isdisjoint(
        left.former_phones
    )
    return "former" if crossed else "differs"


def _near(one: Name, other: Name) -> bool:
    if one.text.isascii() and other.text.isascii():
        return JaroWinkler.similarity(one.text, other.text) >= LATIN_ALIKE
    shorter, longer = sorted((len(one.text), len(other.text)))
    distance = int(DamerauLevenshtein.distance(one.text, other.text))
    if longer >= 3 and shorter >= 2 and distance == 1:
        return True
    return shorter >= 4 and 1 - distance / longer >= PART_ALIKE


def _placeholder(day: date) -> bool:
    return (day.month, day.day) == (1, 1)


def _mistyped(one: date, other: date) -> bool:
    if one.year == other.year and (one.month, one.day) == (other.day, other.month):
        return True
    if (one.month, one.day) == (other.month, other.day) and abs(one.year - other.year) == 1:
        return True
    return _different(f"{one:%Y%m%d}", f"{other:%Y%m%d}") == 1


def _different(one: Iterable[str], other: Iterable[str]) -> int:
    return sum(a != b for a, b in zip(one, other, strict=True))


def _alike(one: Address, other: Address) -> bool:
    if one.numbers != other.numbers or (one.area and other.area and one.area != other.area):
        return False
    return token_sort_ratio(" ".join(one.text), " ".join(other.text)) >= 85


BY_FIELD: Mapping[FieldName, Callable[[Comparable, Comparable], str]] = {
    "name": compare_names,
    "sex": _sexes,
    "birth_date": compare_birth_dates,
    "card": compare_cards,
    "phone": _phones,
    "address": compare_addresses,
}
"""What says on which level a field of a pair is."""
