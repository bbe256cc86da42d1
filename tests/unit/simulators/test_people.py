from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators import id_card, people
from simulators.hazards import BASIC_IDEOGRAPHS, DELIMITERS, hazardous_ideographs
from simulators.people import DEMO

TODAY = date(2026, 11, 20)
SEED = 7
CROWD = [people.person(SEED, index, TODAY) for index in range(1, 2001)]


def test_464_basic_ideographs_hold_a_delimiter_byte():
    assert len(BASIC_IDEOGRAPHS) == 20_992
    assert len(hazardous_ideographs()) == 464
    assert "珅" in hazardous_ideographs()
    assert "陈" not in hazardous_ideographs()


def test_splitting_before_decoding_cuts_each_of_them():
    for character in hazardous_ideographs():
        assert any(bytes([delimiter]) in character.encode("gb18030") for delimiter in DELIMITERS)


def test_rare_names_hold_every_hazardous_ideograph():
    held = {c for place in range(people.RARE_NAMES) for c in str(people.rare_person(SEED, place).name)}
    assert held == set(hazardous_ideographs())


def test_the_same_seed_and_index_are_the_same_person():
    assert people.person(SEED, 123, TODAY) == people.person(SEED, 123, TODAY)
    assert people.person(SEED, 123, TODAY) != people.person(SEED + 1, 123, TODAY)


@given(
    birth=st.dates(date(1900, 1, 1), date(2030, 1, 1)),
    serial=st.integers(0, 999),
    area=st.sampled_from(id_card.AREAS),
)
def test_a_made_card_is_valid_and_a_spoilt_one_is_not(birth, serial, area):
    card = id_card.make(area, birth, serial)
    assert id_card.is_valid(card)
    assert card[6:14] == birth.strftime("%Y%m%d")
    assert not id_card.is_valid(id_card.spoil(card))


@pytest.mark.parametrize("card", ["11010519491231002X", "440524188001010014"])
def test_the_standards_own_examples_are_valid(card):
    assert id_card.is_valid(card)


def test_true_cards_agree_with_birth_date_and_sex():
    for someone in CROWD:
        if someone.id_card:
            assert id_card.is_valid(someone.id_card)
            assert someone.id_card[6:14] == f"{someone.birth_date:%Y%m%d}"
            assert (int(someone.id_card[16]) % 2 == 1) == (someone.sex == "male")


def test_some_cards_are_missing_and_some_are_written_wrong():
    written = [someone.at("MAIN").id_card for someone in CROWD]
    missing = sum(card is None for card in written)
    wrong = sum(card is not None and not id_card.is_valid(card) for card in written)
    assert 0.1 < missing / len(CROWD) < 0.3
    assert 0.01 < wrong / len(CROWD) < 0.08


def test_the_crowd_has_who_makes_matching_hard():
    names = {str(someone.name) for someone in CROWD}
    assert {"张伟", "章玮", "无名氏"} <= names
    assert any("·" in name for name in names)
    assert any(name.startswith(("欧阳", "司徒")) for name in names)
    newborns = [someone for someone in CROWD if str(someone.name).endswith(("之子", "之女"))]
    assert newborns
    assert all(child.birth_date == TODAY and child.id_card is None for child in newborns)


def test_few_surnames_hold_most_people():
    common = sum(someone.name.family in "李王张刘陈" for someone in CROWD)
    assert 0.25 < common / len(CROWD) < 0.5


@pytest.mark.parametrize("campus", ["MAIN", "HP", "HY"])
def test_numbers_are_unique_in_a_campus(campus):
    numbers = [someone.numbers[campus] for someone in CROWD]
    numbers += [people.rare_person(SEED, place).numbers[campus] for place in range(1200)]
    numbers.append(DEMO.numbers[campus])
    assert len(set(numbers)) == len(numbers)


def test_the_demo_person_has_a_valid_card_everywhere():
    cards = {DEMO.at(campus).id_card for campus in ("MAIN", "HP", "HY")}
    assert cards == {DEMO.id_card}
    assert id_card.is_valid(DEMO.id_card or "")
    assert set(str(DEMO.name)) & set(hazardous_ideographs())
