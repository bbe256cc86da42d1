"""Whether a candidate is worth taking apart."""

from collections import defaultdict
from dataclasses import replace
from datetime import date
from itertools import combinations

import pytest

from consortium.identity.matching import active, blocks, comparable
from consortium.identity.matching.judging import judge
from consortium.identity.matching.screening import Glance, Screen
from consortium.identity.model import Facts
from simulators.population.records import population

ZHANG = Facts("张伟", "male", date(1980, 5, 17), None, "13812345678", "广州市越秀区中山二路58号")


def facts_of_everybody() -> list[Facts]:
    return [Facts(r.name, r.sex, r.birth_date, r.id_card, r.phone, r.address) for r in population(4711, 2500)]


def glance(facts: Facts, former: bool = False) -> Glance:
    card = comparable(facts).card
    return Glance(
        1, facts.name, facts.sex, facts.birth_date, card, facts.id_card, facts.phone, former
    )  # fmt: skip


def test_nobody_is_left_out_whom_judging_would_link_or_ask_about() -> None:
    everybody = facts_of_everybody()
    rooms: dict[str, list[int]] = defaultdict(list)
    for place, facts in enumerate(everybody):
        for key in blocks(comparable(facts)):
            rooms[key].append(place)
    model = active()
    looked, left_out = 0, 0
    for one, other in {pair for room in rooms.values() for pair in combinations(room, 2)}:
        left, right = comparable(everybody[one]), comparable(everybody[other])
        passes = Screen(left, model).passes(glance(everybody[other]))
        looked += 1
        left_out += not passes
        assert passes or judge(left, right, model).band == "none", (everybody[one], everybody[other])
    assert looked > 3000
    assert left_out > 100


def test_a_namesake_of_the_same_year_is_left_out() -> None:
    namesake = replace(ZHANG, birth_date=date(1980, 11, 2), phone="13987654321", address=None)
    assert not Screen(comparable(ZHANG), active()).passes(glance(namesake))


def test_a_namesake_of_the_same_day_is_not() -> None:
    namesake = replace(ZHANG, phone="13987654321", address=None)
    assert Screen(comparable(ZHANG), active()).passes(glance(namesake))


@pytest.mark.parametrize("former", [True, False])
def test_who_said_something_else_earlier_is_looked_at_whole(former: bool) -> None:
    stranger = Facts("李娜", "female", date(1991, 1, 5))
    assert Screen(comparable(ZHANG), active()).passes(glance(stranger, former)) is former


def test_who_shows_the_same_card_is_looked_at_whole() -> None:
    stranger = Facts("李娜", "female", date(1991, 1, 5), "11010519491231002X")
    own = comparable(replace(ZHANG, id_card="11010519491231002X"))
    assert Screen(own, active()).passes(glance(stranger))
