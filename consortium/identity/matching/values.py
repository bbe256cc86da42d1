"""What of a source patient is compared, in the form in which it is compared."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

Reading = tuple[str, str]
"""Surname and given name in pinyin, without tones and spaces; ü is v."""


@dataclass(frozen=True, slots=True)
class Name:
    """A name taken apart."""

    text: str
    """Folded: simplified characters, private code points replaced, one dot, no spaces; what `exact` means."""
    surname: str
    """Folded surname, compound ones whole (欧阳); of a Latin name the last word; of a minority name the last
    part.
    """
    given: str
    readings: frozenset[Reading]
    """Every way to read it aloud; names that share one are homophones."""
    read: tuple[Reading, ...]
    """The way it is mostly read, by which it is blocked; of a Latin name, which may have either part first,
    both orders.
    """


@dataclass(frozen=True, slots=True)
class Address:
    """An address taken apart."""

    text: str
    """Without province and city, digits and separators in one form; what `exact` means."""
    area: str
    """District, county or county-level city; "" when not said."""
    numbers: tuple[str, ...]
    """House, building and room numbers in order."""


@dataclass(frozen=True, slots=True)
class Comparable:
    """What of a source patient is compared. Former values are those that the campus said earlier of the same
    number.
    """

    name: Name | None = None
    """None when not said, or a stand-in."""
    sex: str | None = None
    """male or female; anything else is not compared."""
    birth_date: date | None = None
    card: str | None = None
    """18 characters, when valid."""
    card_as_sent: str | None = None
    """Narrowed, without spaces; also when it is not valid."""
    card_doubted: bool = False
    """The card says another birth date or sex than the campus: it may be borrowed or a parent's."""
    phones: frozenset[str] = frozenset()
    """National significant numbers, digits."""
    address: Address | None = None
    former_names: tuple[Name, ...] = ()
    former_birth_dates: frozenset[date] = frozenset()
    former_cards: frozenset[str] = frozenset()
    former_phones: frozenset[str] = frozenset()
    former_addresses: tuple[Address, ...] = ()
    stand_in: bool = False
    """A newborn without a name, an unknown patient, a masked name: never linked without a person's look."""
    vip: bool = False
    """A VIP, or anonymous by their own wish: in no block, never linked and never asked about."""
