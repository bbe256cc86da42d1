"""The criteria of referral, each met, not met and not told."""

from __future__ import annotations

from typing import Any

import pytest

from consortium.referral.capabilities import Capabilities, load
from consortium.referral.criteria import DOWN, TITLES, UP, Question, check
from consortium.referral.form import Form, KeyResult
from consortium.referral.model import Direction, Urgency
from tests.conftest import CHECKOUT

BIG = load(CHECKOUT / "rules")["MAIN"]
SMALL = load(CHECKOUT / "rules")["HP"]
CRITICAL = KeyResult(name="钾", value="7.1", flag="critical_high")
HIGH = KeyResult(name="钾", value="5.6", flag="high")


def verdict(
    code: str,
    *,
    sending: Capabilities | None = SMALL,
    receiving: Capabilities | None = BIG,
    urgency: Urgency = "routine",
    **form: Any,
) -> tuple[str, str]:
    direction: Direction = "up" if code in UP else "down"
    question = Question(Form(**form), urgency, sending, receiving)
    (found,) = [one for one in check(direction, question) if one.code == code]
    assert not found.why.zh.isascii()
    return found.verdict, found.why.en


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"key_results": (CRITICAL,)}, "met"),
        ({"urgency": "emergency"}, "met"),
        ({"key_results": (HIGH,)}, "not_met"),
        ({}, "not_told"),
    ],
)
def test_critical(said: dict[str, Any], expected: str) -> None:
    assert verdict("critical", **said)[0] == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"casualties": 21}, "met"),
        ({"casualties": 20}, "not_met"),
        ({}, "not_told"),
        ({"casualties": 21, "sending": None}, "not_told"),
    ],
)
def test_mass_casualty(said: dict[str, Any], expected: str) -> None:
    assert verdict("mass_casualty", **said)[0] == expected


@pytest.mark.parametrize(
    ("said", "expected", "why"),
    [
        ({"subject": "28"}, "met", "it is at the receiver"),
        ({"subject": "99"}, "met", "not at the receiver either"),
        ({"subject": "28", "receiving": None}, "met", "what the receiver has is not registered"),
        ({"subject": "03.04"}, "not_met", "registered at the sender"),
        ({}, "not_told", "no clinical subject"),
        ({"subject": "28", "sending": None}, "not_told", "not registered here"),
    ],
)
def test_beyond_the_registered_subjects(said: dict[str, Any], expected: str, why: str) -> None:
    found = verdict("beyond_scope", **said)
    assert found[0] == expected
    assert why in found[1]


@pytest.mark.parametrize(
    ("said", "expected", "why"),
    [
        ({"requires": ("ct", "pci")}, "met", "lacking at the sender: pci; it is at the receiver"),
        ({"requires": ("proton",)}, "met", "not at the receiver either"),
        ({"requires": ("ct",)}, "not_met", "everything required"),
        ({}, "not_told", "no equipment or technique"),
        ({"requires": ("ct",), "sending": None}, "not_told", "not registered here"),
    ],
)
def test_lacking_equipment_or_technique(said: dict[str, Any], expected: str, why: str) -> None:
    found = verdict("lacking_technique", **said)
    assert found[0] == expected
    assert why in found[1]


DOWNWARD: list[tuple[str, dict[str, Any], str]] = [
    ("rehabilitation", {"rehabilitation_plan": "每日康复训练"}, "met"),
    ("rehabilitation", {"rehabilitation_plan": "x", "key_results": (CRITICAL,)}, "not_met"),
    ("rehabilitation", {}, "not_told"),
    ("rehabilitation", {"receiving": None}, "not_told"),
    ("common_disease", {"diagnosis_codes": ("J18.9",)}, "met"),
    ("common_disease", {"diagnosis_codes": ("I21.0",)}, "not_met"),
    ("common_disease", {}, "not_told"),
    ("common_disease", {"diagnosis_codes": ("J18.9",), "receiving": BIG}, "not_told"),
    ("hospice", {"diagnosis_codes": ("C34.1",)}, "met"),
    ("hospice", {"diagnosis_codes": ("C34.1",), "receiving": BIG}, "not_met"),
    ("hospice", {"diagnosis_codes": ("J18.9",)}, "not_met"),
    ("hospice", {}, "not_told"),
    ("hospice", {"diagnosis_codes": ("C34.1",), "receiving": None}, "not_told"),
    ("chronic", {"diagnosis_codes": ("E11.9",)}, "met"),
    ("chronic", {"diagnosis_codes": ("J18.9",)}, "not_met"),
    ("chronic", {}, "not_told"),
]


@pytest.mark.parametrize(("code", "said", "expected"), DOWNWARD)
def test_downward(code: str, said: dict[str, Any], expected: str) -> None:
    assert verdict(code, **{"sending": BIG, "receiving": SMALL} | said)[0] == expected


def test_there_are_four_each_way() -> None:
    assert (len(UP), len(DOWN)) == (4, 4)
    assert set(TITLES) == {*UP, *DOWN}
