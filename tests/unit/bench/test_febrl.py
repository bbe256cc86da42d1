"""FEBRL as it is read and compared."""

from __future__ import annotations

import pytest

from bench import febrl
from bench.febrl import COLUMNS, compare
from consortium.identity.matching import MISSING

EMPTY: dict[str, str | None] = dict.fromkeys(COLUMNS)


@pytest.mark.parametrize(("name", "rows", "people"), [("febrl1", 1000, 500), ("febrl4", 10_000, 5000)])
def test_the_files_have_the_records_and_people_that_febrl_says(name: str, rows: int, people: int) -> None:
    data = febrl.load(name)
    assert len(data.rows) == len(data.truth) == rows
    assert len(set(data.truth)) == people


def test_what_is_not_written_is_missing() -> None:
    assert set(compare(EMPTY, EMPTY).values()) == {MISSING}


def test_names_that_changed_places_are_seen() -> None:
    one = EMPTY | {"given_name": "mitchell", "surname": "green"}
    other = EMPTY | {"given_name": "green", "surname": "mitchell"}
    levels = compare(one, other)
    assert (levels["given_name"], levels["surname"]) == ("crossed", "crossed")


@pytest.mark.parametrize(
    ("other", "level"),
    [("1804974", "exact"), ("1804947", "near"), ("180497", "near"), ("1004947", "like"), ("7", "differs")],
)
def test_numbers_are_compared_by_keystrokes(other: str, level: str) -> None:
    one = EMPTY | {"soc_sec_id": "1804974"}
    assert compare(one, EMPTY | {"soc_sec_id": other})["soc_sec_id"] == level


def test_a_row_is_no_pair_with_itself() -> None:
    row = EMPTY | {"given_name": "james", "surname": "james", "postcode": "2119"}
    data = febrl.Data([row, EMPTY | {"postcode": "2119", "surname": "james"}], [1, 1])
    assert list(febrl._candidates(data)) == [(0, 1)]
