"""How the campuses wrote the people down, with everything that goes wrong at a desk."""

from __future__ import annotations

import random
from bisect import bisect
from collections.abc import Iterator
from datetime import date, timedelta
from typing import NamedTuple

from simulators.population import slips
from simulators.population.people import FIRST_DAY, TODAY, Household, Person, household

FACILITIES = ("MAIN", "HP", "HY")
_FACILITY_SUMS = (0.62, 0.87, 1.0)
_FORM = {"MAIN": 0, "HP": 1, "HY": 2}
_COUNT_SUMS = (0.38, 0.68, 0.85, 0.95, 1.0)
"""Of people written down once, twice, … five times."""

NO_CARD, WRONG_CARD, NAME_VARIANT = 0.2, 0.02, 0.05
NO_PHONE, WRONG_PHONE, OTHER_PHONE, NO_ADDRESS, OTHER_FORM = 0.04, 0.01, 0.03, 0.1, 0.1
WRONG_BIRTH, NO_BIRTH, WRONG_SEX, NO_SEX = 0.015, 0.004, 0.002, 0.004
UNKNOWN, ANONYMOUS, BORN_HERE, NEWBORN = 0.0005, 0.0002, 0.25, 0.55
"""Shares of records; of those who were born in the time, first written down within three days; of children
written down within four weeks, without a name of their own.
"""


class Record(NamedTuple):
    """A person as one campus wrote them down, once."""

    person: int
    """The truth."""
    facility: str
    number: str
    since: date
    name: str
    sex: str | None
    birth_date: date | None
    id_card: str | None
    phone: str | None
    address: str | None
    slips: tuple[str, ...]
    """What went wrong, and what is out of date by TODAY."""


def population(seed: int, people: int, first_household: int = 0) -> Iterator[Record]:
    """Give the records of so many people, household by household, each person's in order of time."""
    index = first_household
    while people > 0:
        home = household(seed, index)
        for record in records(seed, index, home):
            if record.person % 8 < people:
                yield record
        people -= len(home.people)
        index += 1


def records(seed: int, index: int, home: Household) -> Iterator[Record]:
    """Give the records of a household's people."""
    rng = random.Random(~(seed << 40 | index) & (1 << 96) - 1)
    for person in home.people:
        yield from _of(rng, home, person)


def _of(rng: random.Random, home: Household, person: Person) -> Iterator[Record]:
    first = max(FIRST_DAY, person.birth_date)
    span = max((TODAY - first).days, 1)
    days = sorted(rng.randrange(span) for _ in range(bisect(_COUNT_SUMS, rng.random()) + 1))
    if person.birth_date >= FIRST_DAY and rng.random() < BORN_HERE:
        days[0] = rng.randrange(3)  # born here
    for place, day in enumerate(days):
        yield _written(rng, home, person, place, first + timedelta(days=day))


def _written(rng: random.Random, home: Household, person: Person, place: int, day: date) -> Record:
    facility = FACILITIES[bisect(_FACILITY_SUMS, rng.random())]
    number = f"{facility}{person.id:09d}{place}"
    found: list[str] = []
    if (chance := rng.random()) < UNKNOWN + ANONYMOUS:
        name, slip = ("无名氏", "unknown") if chance < UNKNOWN else ("匿名", "anonymous")
        return Record(person.id, facility, number, day, name, person.sex, None, None, None, None, (slip,))
    name = _name(rng, person, day, found)
    newborn = "newborn" in found
    card = None if newborn else _card(rng, home, person, found)
    return Record(
        person.id, facility, number, day, name, _sex(rng, person), _birth(rng, person, found), card,
        _phone(rng, person, day, found), _address(rng, home, facility, day, found), tuple(found),
    )  # fmt: skip


def _name(rng: random.Random, person: Person, day: date, found: list[str]) -> str:
    if (day - person.birth_date).days < 28 and person.mother and rng.random() < NEWBORN:
        found.append("newborn")
        suffix = "之子" if person.sex == "male" else "之女"
        return person.mother + (
            ("之大", "之小")[person.twin - 1] if person.twin and rng.random() < 0.5 else suffix
        )
    if rng.random() < NAME_VARIANT:
        name, slip = slips.name(rng, person.name)
        found.append(slip)
        return name
    return person.name


def _card(rng: random.Random, home: Household, person: Person, found: list[str]) -> str | None:
    chance = rng.random()
    if chance < NO_CARD:
        found.append("no_card")
        return None
    if chance > 1 - WRONG_CARD / 2:
        found.append("card_borrowed")
        lenders = home.parents if person.mother else [p for p in home.people if p is not person]
        if lenders and rng.random() < 0.85:
            return rng.choice(lenders).id_card
        return slips.stranger_card(rng, person.birth_date)
    if chance > 1 - WRONG_CARD:
        card, slip = slips.card(rng, person.id_card)
        found.append(slip)
        return card
    return slips.card_form(rng, person.id_card)


def _sex(rng: random.Random, person: Person) -> str | None:
    chance = rng.random()
    if chance < WRONG_SEX:
        return "female" if person.sex == "male" else "male"
    return None if chance > 1 - NO_SEX else person.sex


def _birth(rng: random.Random, person: Person, found: list[str]) -> date | None:
    chance = rng.random()
    if chance < WRONG_BIRTH:
        wrong, slip = slips.birth_date(rng, person.birth_date)
        found.append(slip)
        return wrong
    return None if chance > 1 - NO_BIRTH else person.birth_date


def _phone(rng: random.Random, person: Person, day: date, found: list[str]) -> str | None:
    phone = person.phones[0 if person.new_phone is None or day < person.new_phone else -1]
    if phone != person.phones[-1]:
        found.append("old_phone")
    chance = rng.random()
    if chance < NO_PHONE:
        return None
    if chance < NO_PHONE + WRONG_PHONE:
        found.append("phone_digit")
        return slips.phone(rng, phone)
    if chance < NO_PHONE + WRONG_PHONE + OTHER_PHONE:
        found.append("other_phone")
        return f"1{rng.choice('35789')}{rng.randrange(10**9):09d}"
    return phone


def _address(rng: random.Random, home: Household, facility: str, day: date, found: list[str]) -> str | None:
    if rng.random() < NO_ADDRESS:
        return None
    address = home.addresses[0 if home.moved is None or day < home.moved else -1]
    if address is not home.addresses[-1]:
        found.append("old_address")
    form = rng.randrange(4) if rng.random() < OTHER_FORM else _FORM[facility]
    return address.written(form)
