"""Who lives where: households of the population, each from seed and index."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from simulators import id_card
from simulators.population import naming
from simulators.population.drawing import Draw
from simulators.population.places import Address, address

Sex = Literal["male", "female"]
TODAY = date(2026, 11, 1)
"""The population's last day: nobody is born or seen later."""
FIRST_DAY = date(2016, 1, 1)
"""Nobody is seen before it."""
HOUSEHOLD_IDS = 8
"""Ids of people are given by the household, so many to each."""

_SIZES = ((1, 0.22), (2, 0.29), (3, 0.25), (4, 0.16), (5, 0.08))
_PROVINCES = Draw(
    (
        "44",
        "45",
        "43",
        "36",
        "42",
        "41",
        "51",
        "52",
        "35",
        "34",
        "50",
        "61",
        "37",
        "13",
        "46",
        "65",
        "54",
        "15",
    ),
    (70, 5, 5, 4, 3, 2.5, 2.5, 1.5, 1, 1, 0.8, 0.7, 0.6, 0.5, 0.5, 0.8, 0.3, 0.3),
)
_TWINS, _MOVES, _NEW_PHONE, _NEW_PHONE_AFTER_MOVE = 0.028, 0.12, 0.06, 0.25


@dataclass(frozen=True, slots=True)
class Person:
    """Who somebody really is."""

    id: int
    name: str
    sex: Sex
    birth_date: date
    id_card: str
    phones: tuple[str, ...]
    """One, or before and after `new_phone`."""
    new_phone: date | None
    mother: str | None
    """Her name, of a child."""
    twin: int
    """0: none; else which of the two."""
    parent: bool


@dataclass(frozen=True, slots=True)
class Household:
    """People at one address, who share phones and lend each other cards."""

    people: tuple[Person, ...]
    addresses: tuple[Address, ...]
    """One, or before and after `moved`."""
    moved: date | None

    @property
    def parents(self) -> tuple[Person, ...]:
        """Whose cards a child is registered with."""
        return tuple(person for person in self.people if person.parent)


@dataclass(slots=True)
class _Member:
    """A person in the making."""

    sex: Sex
    born: date
    family: str = ""
    given: str = ""
    twin: int = 0
    parent: bool = False

    @property
    def name(self) -> str:
        return self.family + self.given


def household(seed: int, index: int) -> Household:
    """Return the household of that index, from 0. The same seed and index give the same always."""
    rng = random.Random(seed << 40 | index)
    members = _members(rng)
    _name(rng, members)
    moved = _day(rng) if rng.random() < _MOVES else None
    addresses = (address(rng), address(rng)) if moved else (address(rng),)
    phones = _phones(rng, members)
    mother = next((m.name for m in members if m.parent and m.sex == "female"), None)
    people = []
    for place, member in enumerate(members):
        own, new = phones[place], None
        chance = rng.random()
        if moved and chance < _NEW_PHONE_AFTER_MOVE:
            new = moved
        elif chance > 1 - _NEW_PHONE:
            new = _day(rng)
        id_ = index * HOUSEHOLD_IDS + place
        people.append(
            Person(
                id_, member.name, member.sex, member.born, _card(rng, id_, member),
                (own, _phone(rng)) if new else (own,), new,
                None if member.parent else mother, member.twin, member.parent,
            )
        )  # fmt: skip
    return Household(tuple(people), addresses, moved)


def _members(rng: random.Random) -> list[_Member]:
    chance, size = rng.random(), 1
    for size, share in _SIZES:  # noqa: B007 (the last one looked at)
        chance -= share
        if chance < 0:
            break
    sex: Sex = "male" if rng.random() < 0.5 else "female"
    oldest = _born(rng, 1936, 2006)
    members = [_Member(sex, oldest, parent=True)]
    if size > 1 and rng.random() < 0.85:
        other: Sex = "female" if sex == "male" else "male"
        members.append(_Member(other, oldest + timedelta(days=int(rng.gauss(0, 900))), parent=True))
    while len(members) < size:
        _child(rng, members, room=size - len(members))
    return members


def _child(rng: random.Random, members: list[_Member], room: int) -> None:
    after = max(m.born for m in members if m.parent) + timedelta(days=20 * 365)
    if after >= TODAY:  # too young for children: parents move in
        members.append(_Member(rng.choice(("male", "female")), members[0].born - timedelta(days=9000)))
        return
    born = min(after + timedelta(days=rng.randrange(1, 5500)), TODAY - timedelta(days=rng.randrange(1, 3000)))
    sex: Sex = "male" if rng.random() < 0.52 else "female"
    if room > 1 and rng.random() < _TWINS:
        other: Sex = sex if rng.random() < 0.65 else ("female" if sex == "male" else "male")
        members += [_Member(sex, born, twin=1), _Member(other, born, twin=2)]
    else:
        members.append(_Member(sex, born))


def _born(rng: random.Random, first: int, last: int) -> date:
    year = int(rng.triangular(first, last + 1, 1976))
    return date(year, 1, 1) + timedelta(days=rng.randrange(365))


def _name(rng: random.Random, members: list[_Member]) -> None:
    """Name everybody; no two of a household alike."""
    minority = naming.is_minority(rng)
    man = next((m for m in members if m.parent and m.sex == "male"), None)
    line, father = naming.surname(rng), ""
    taken: set[str] = set()
    for member in members:
        if not minority:
            wife = member.parent and man is not None and member is not man
            member.family = naming.surname(rng) if wife else line
        while not member.given or member.name in taken:
            if minority:
                member.given = naming.minority(rng, member.sex, None if member.parent else father or None)
            elif member.twin == 2:
                first = next(m for m in members if m.twin == 1)
                member.given = naming.twin_of(rng, member.sex, first.given)
            else:
                member.given = naming.given(rng, member.sex, member.born.year)
        taken.add(member.name)
        if minority and member is man:
            father = member.given.split("·")[0]


def _phones(rng: random.Random, members: list[_Member]) -> list[str]:
    """Children have a parent's phone, many of the old a child's or their spouse's."""
    phones = [_phone(rng) for _ in members]
    for place, member in enumerate(members):
        age = TODAY.year - member.born.year
        if place and age < 14:
            phones[place] = phones[rng.randrange(2) if len(members) > 1 and members[1].parent else 0]
        elif place and rng.random() < (0.5 if age > 65 else 0.16):
            phones[place] = phones[0]
    return phones


def _card(rng: random.Random, id_: int, member: _Member) -> str:
    """Return a card that nobody else has: serial and area go by id. Counties 90-99 are nowhere."""
    serial, area = id_ // 990 % 500, id_ % 990
    return id_card.make(
        f"{_PROVINCES(rng)}{area // 10 + 1:02d}{90 + area % 10}",
        member.born,
        serial * 2 + (member.sex == "male"),
    )


def _phone(rng: random.Random) -> str:
    return f"1{rng.choice('35789')}{rng.randrange(10**9):09d}"


def _day(rng: random.Random) -> date:
    return FIRST_DAY + timedelta(days=rng.randrange((TODAY - FIRST_DAY).days))
