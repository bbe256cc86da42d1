"""The people who visit the simulated campuses: a population without end, each from seed and index."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Literal

from simulators import id_card, names
from simulators.names import Name

Campus = Literal["MAIN", "HP", "HY"]
Sex = Literal["male", "female", "unknown"]

DISTRICTS = ("越秀区", "荔湾区", "海珠区", "天河区", "白云区", "黄埔区", "番禺区", "南沙区")
ROADS = ("中山路", "人民路", "解放路", "东风路", "环市路", "江南大道", "科学城开泰大道", "玑珠街")

RARE_NAMES = 155
"""So many names of three characters hold all hazardous ideographs."""


@dataclass(frozen=True, slots=True)
class Registration:
    """A person as one campus wrote them down."""

    number: str
    name: Name
    sex: Sex
    birth_date: date | None
    id_card: str | None
    phone: str | None
    address: str | None


@dataclass(frozen=True, slots=True)
class Person:
    """Who somebody really is, and how the campuses know them."""

    name: Name
    sex: Sex
    birth_date: date | None
    id_card: str | None
    """The true card: valid, or None where there is none (newborn, 无名氏, visitors)."""
    phone: str | None
    address: str | None
    numbers: Mapping[Campus, str]
    written_cards: Mapping[Campus, str | None] = field(default_factory=dict)
    """Where a campus wrote down another card than the true one, or none."""

    def at(self, campus: Campus) -> Registration:
        """Return how that campus knows the person."""
        card = self.written_cards.get(campus, self.id_card)
        return Registration(
            self.numbers[campus], self.name, self.sex, self.birth_date, card, self.phone, self.address
        )


DEMO = Person(
    name=Name("陈", "珅"),
    sex="female",
    birth_date=date(1968, 5, 12),
    id_card=id_card.make("440199", date(1968, 5, 12), 26),
    phone="13800000001",
    address="广东省广州市越秀区中山二路58号",
    numbers={"MAIN": "10000001", "HP": "HP0000001", "HY": "9000001"},
)
"""The sample user patient.demo: known at all three campuses by ID card, with visits and results at each."""


def numbers_of(index: int) -> dict[Campus, str]:
    """Return the patient numbers of the person of that index, from 1; the three say nothing of each other."""
    return {
        "MAIN": f"{10_000_001 + index * 7}",
        "HP": f"HP{index * 13 % 9_999_991:07d}",
        "HY": f"{9_000_001 + index * 3}",
    }


def rare_person(seed: int, place: int) -> Person:
    """Return the `place`-th person with a rare name: known by valid card, else as anybody."""
    person = _somebody(random.Random(f"{seed}/rare/{place}"), names.rare(place))
    return replace(person, numbers=numbers_of(5_000_000 + place))


def person(seed: int, index: int, today: date) -> Person:
    """Return the person of that index (from 1). Newborns are born `today`, so they are others each day."""
    rng = random.Random(f"{seed}/person/{index}")
    kind = index % 50
    if kind in (7, 8):
        made = _somebody(rng, names.HOMOPHONES[index // 50 % len(names.HOMOPHONES)][kind - 7])
    elif kind == 20:
        made = _newborn(rng, today)
        place = today.toordinal() % 100 * 30_000 + index % 30_000
        return replace(made, numbers=numbers_of(6_000_000 + place))
    elif kind == 35 and index % 100 == 35:
        made = Person(names.UNKNOWN, "unknown", None, None, None, None, {})
    else:
        made = _somebody(rng, None)
    return replace(made, numbers=numbers_of(index), written_cards=_written_cards(rng, made.id_card))


def _somebody(rng: random.Random, name: Name | None) -> Person:
    sex: Sex = rng.choice(("male", "female"))
    birth_date = date(1935, 1, 1) + timedelta(days=int(rng.triangular(0, 33_000, 14_000)))
    serial = rng.randrange(0, 500) * 2 + (sex == "male")
    make = rng.choices((names.ordinary, names.compound, names.minority), (94, 3, 3))[0]
    return Person(
        name=name or make(rng, sex),
        sex=sex,
        birth_date=birth_date,
        id_card=id_card.make(rng.choice(id_card.AREAS), birth_date, serial) if rng.random() < 0.9 else None,
        phone=f"1{rng.choice('35789')}{rng.randrange(10**9):09d}" if rng.random() < 0.95 else None,
        address=_address(rng),
        numbers={},
    )


def _newborn(rng: random.Random, today: date) -> Person:
    sex: Sex = rng.choice(("male", "female"))
    return Person(names.newborn(rng, sex), sex, today, None, None, _address(rng), {})


def _written_cards(rng: random.Random, card: str | None) -> dict[Campus, str | None]:
    """One in twelve campuses has no card for a person who has one, and one in thirty a wrong one."""
    written: dict[Campus, str | None] = {}
    campuses: tuple[Campus, ...] = ("MAIN", "HP", "HY")
    for campus in campuses:
        chance = rng.random()
        if card and chance < 0.08:
            written[campus] = None
        elif card and chance < 0.115:
            written[campus] = id_card.spoil(card)
    return written


def _address(rng: random.Random) -> str:
    district, road = rng.choice(DISTRICTS), rng.choice(ROADS)
    door = f"{rng.randrange(1, 900)}号{rng.randrange(1, 40)}栋{rng.randrange(101, 3300)}房"
    return f"广东省广州市{district}{road}{door}"
