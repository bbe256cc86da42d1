"""How surely a description is of somebody who is known: as two numbers of campuses are weighed."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from consortium.identity.finding import SUREST, Weight, described, weigh
from consortium.identity.matching import active
from consortium.identity.model import Facts

CARD = "440105198001023171"
KNOWN: dict[str, Any] = {
    "name": "欧阳修",
    "sex": "male",
    "birth_date": date(1980, 1, 2),
    "phone": "13911112222",
    "address": "广州市越秀区中山二路1号",
}
NO_ADDRESS = {"address": None}


def grade(known: dict[str, Any], **asked: Any) -> str:
    return weighed(known, **asked).grade


def weighed(known: dict[str, Any], **asked: Any) -> Weight:
    """Weigh a description that says what is known, and something else."""
    return weigh(described(Facts(**known | asked)), described(Facts(**known)), active())


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, "probable"),
        ({"name": "欧阳秀"}, "probable"),  # a homophone
        ({"name": "歐陽修"}, "probable"),
        ({"birth_date": date(1980, 2, 1)}, "probable"),  # month and day swapped
        ({"phone": None, **NO_ADDRESS}, "possible"),  # name, birth date and sex have many
        ({"name": "欧阳休文", "phone": None, **NO_ADDRESS}, "certainly-not"),
        ({"name": "欧阳攸", "birth_date": date(1980, 2, 1)}, "possible"),  # one slip beside the other
    ],
)
def test_what_would_be_linked_is_probable(asked: dict[str, Any], expected: str) -> None:
    assert grade(KNOWN, **asked) == expected


def test_a_checked_card_with_the_name_is_certain_and_nothing_else_scores_as_high() -> None:
    assert weighed(KNOWN | {"id_card": CARD}) == Weight(1.0, "certain")
    assert weighed(KNOWN | {"id_card": CARD}, birth_date=None) == Weight(1.0, "certain")
    assert weighed(KNOWN) == Weight(SUREST, "probable")


def test_a_wrong_card_is_certain_of_nothing() -> None:
    invalid = CARD[:-1] + ("1" if CARD[-1] != "1" else "2")
    assert grade(KNOWN | {"id_card": invalid}) == "probable"
    borrowed = {"name": "赵国强", "birth_date": date(1951, 5, 6), "phone": None, "address": None}
    assert grade(KNOWN | {"id_card": CARD}, **borrowed) == "certainly-not"


def test_a_spouse_at_the_same_phone_and_address_is_somebody_else() -> None:
    spouse = {"name": "李晓兰", "sex": "female"}
    assert grade(KNOWN, **spouse, birth_date=date(1982, 3, 4)) == "certainly-not"
    assert grade(KNOWN, **spouse, birth_date=None) == "certainly-not"


def test_a_twin_is_possible_at_most() -> None:
    assert grade(KNOWN, name="欧阳文") in ("possible", "certainly-not")
    assert grade(KNOWN, name="欧阳文", sex="female") == "certainly-not"


@pytest.mark.parametrize("name", ["欧阳修之子", "新生儿", "无名氏", "欧**"])
def test_a_stand_in_is_possible_at_most_whatever_else_agrees(name: str) -> None:
    newborn = KNOWN | {"name": name, "birth_date": date(2026, 11, 1)}
    assert grade(newborn) == "possible"
    assert grade(newborn | {"id_card": CARD}) == "possible"


def test_a_possible_one_is_never_surer_than_a_probable_one() -> None:
    assert Weight(0.9999, "possible").rank < Weight(0.99, "probable").rank
