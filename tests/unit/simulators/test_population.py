"""The population has the faults that were asked for, in the shares that were asked for, and a truth."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import pytest

from simulators import id_card
from simulators.population.people import FIRST_DAY, TODAY, household
from simulators.population.records import Record, population

SEED = 11
PEOPLE = 6000


@pytest.fixture(scope="module")
def written() -> list[Record]:
    return list(population(SEED, PEOPLE))


def _share(records: list[Record], *slips: str) -> float:
    return sum(bool(set(slips) & set(r.slips)) for r in records) / len(records)


def test_the_same_seed_gives_the_same_records_and_another_gives_others(written: list[Record]) -> None:
    assert list(islice(population(SEED, PEOPLE), 500)) == written[:500]
    assert list(islice(population(SEED + 1, PEOPLE), 500)) != written[:500]


def test_a_part_of_the_population_is_made_by_itself(written: list[Record]) -> None:
    part = list(population(SEED, 100, first_household=50))
    assert part[0] in written
    assert part == written[written.index(part[0]) :][: len(part)]


def test_so_many_people_are_written_down_as_were_asked_for(written: list[Record]) -> None:
    assert len({r.person for r in written}) == PEOPLE
    assert 2.0 < len(written) / PEOPLE < 2.3
    assert len({(r.facility, r.number) for r in written}) == len(written)


def test_records_are_of_the_persons_life_and_the_populations_time(written: list[Record]) -> None:
    assert all(FIRST_DAY <= r.since <= TODAY for r in written)
    born = {p.id: p.birth_date for index in range(PEOPLE) for p in household(SEED, index).people}
    assert all(r.since >= born[r.person] for r in written)


@pytest.mark.parametrize(
    ("slips", "share"),
    [
        (("no_card",), 0.20),
        (("card_borrowed", "card_digit", "card_swapped"), 0.02),
        (("old_address",), 0.05),
        (("old_phone",), 0.04),
    ],
)
def test_slips_are_as_frequent_as_was_asked_for(
    written: list[Record], slips: tuple[str, ...], share: float
) -> None:
    assert _share(written, *slips) == pytest.approx(share, rel=0.25)


def test_one_name_in_twenty_is_a_variant(written: list[Record]) -> None:
    true = {p.id: p.name for index in range(PEOPLE) for p in household(SEED, index).people}
    stand_ins = ("newborn", "unknown", "anonymous")
    named = [r for r in written if not set(stand_ins) & set(r.slips)]
    variants = sum(r.name != true[r.person] for r in named) / len(named)
    assert variants == pytest.approx(0.05, rel=0.2)


def test_three_in_ten_share_a_phone(written: list[Record]) -> None:
    owners: dict[str, set[int]] = {}
    for record in written:
        if record.phone:
            owners.setdefault(record.phone, set()).add(record.person)
    sharing = {person for people in owners.values() if len(people) > 1 for person in people}
    assert len(sharing) / PEOPLE == pytest.approx(0.3, rel=0.15)


def test_one_in_a_hundred_is_a_twin_or_was_written_down_unnamed() -> None:
    people = [p for index in range(8000) for p in household(SEED, index).people]
    twins = sum(p.twin > 0 for p in people) / len(people)
    assert 0.004 < twins < 0.012


def test_twins_differ_in_name_and_card_and_share_the_day() -> None:
    pairs = [[p for p in home.people if p.twin] for home in (household(SEED, index) for index in range(8000))]
    for first, second in filter(None, pairs):
        assert first.birth_date == second.birth_date
        assert first.id_card != second.id_card
        assert first.name != second.name


def test_no_two_of_a_household_have_one_name() -> None:
    for home in (household(SEED, index) for index in range(8000)):
        assert len({p.name for p in home.people}) == len(home.people)


def test_cards_are_valid_and_ones_own() -> None:
    people = [p for index in range(8000) for p in household(SEED, index).people]
    assert all(id_card.is_valid(p.id_card) for p in people)
    assert len({p.id_card for p in people}) == len(people)


def test_surnames_are_as_skewed_as_in_life() -> None:
    people = [p for index in range(8000) for p in household(SEED, index).people if "·" not in p.name]
    surnames = Counter(p.name[0] for p in people)
    assert {name for name, _ in surnames.most_common(3)} == {"王", "李", "张"}
    assert surnames["陈"] / len(people) == pytest.approx(0.0457, rel=0.2)
    names = Counter(p.name for p in people)
    assert names.most_common(1)[0][1] / len(people) < 0.0009


def test_a_card_with_a_slip_fails_its_check(written: list[Record]) -> None:
    slipped = [r for r in written if {"card_digit", "card_swapped"} & set(r.slips)]
    assert slipped
    assert not any(id_card.is_valid(r.id_card or "") for r in slipped)
