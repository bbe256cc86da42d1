"""Sentences for people: in both languages, and naming nobody."""

from __future__ import annotations

from typing import get_args

import pytest

from consortium.identity import telling
from consortium.identity.matching.judging import Reason
from consortium.identity.matching.model import LEVELS, MISSING
from consortium.identity.survivorship import AGREED, CRITERIA, FIRST, ONLY

STEPS = [
    {"field": field, "level": level, "weight": 3.0 if level == "exact" else -2.0}
    for field, levels in LEVELS.items()
    for level in levels
]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: f"{step['field']} {step['level']}")
def test_every_level_of_the_model_has_a_sentence(step: dict[str, object]) -> None:
    told = telling.evidence(step)
    assert str(step["level"]) not in told.zh
    assert ("for one person" in told.en) == (step["level"] == "exact")
    assert "倍" in told.zh


def test_what_is_missing_weighs_nothing() -> None:
    told = telling.evidence({"field": "card", "level": MISSING, "weight": 0.0})
    assert (told.zh, told.en) == (
        "身份证号有一方缺失，不计分",
        "ID card is missing on one side, and weighs nothing",
    )


def test_a_whole_weight_is_told_as_odds() -> None:
    assert telling.whole(None) is None
    found = telling.whole(10.0), telling.whole(-1.0)
    assert [one.en for one in found if one] == [
        "together: 1,024 to 1 that they are one person",
        "together: 2.0 to 1 that they are two people",
    ]


@pytest.mark.parametrize("code", [*CRITERIA, ONLY, AGREED, FIRST])
def test_every_criterion_has_a_sentence(code: str) -> None:
    told = telling.criterion(code)
    assert told is not None
    assert code not in (told.zh, told.en)


@pytest.mark.parametrize("code", get_args(Reason))
def test_every_reason_has_a_sentence(code: str) -> None:
    assert telling.reason(code) == telling.REASONS[code]


def test_an_unknown_word_is_told_as_it_is() -> None:
    assert telling.reason("new").en == "new"
    assert telling.criterion(None) is None
    assert "blood new" in telling.evidence({"field": "blood", "level": "new", "weight": 1.0}).en
