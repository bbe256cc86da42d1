"""Whose word survives in the golden record, and why."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consortium.errors import PermanentError
from consortium.identity import decide, survivorship
from consortium.identity.model import Facts, SourcePatient
from consortium.identity.survivorship import Choice, Rules, parse

CARD = "11010519491231002X"
BORN = date(1949, 12, 31)
NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)
ME = UUID(int=1)


def number(id_: int, facility: str = "MAIN", *, retired: bool = False, **facts: Any) -> SourcePatient:
    """A number that spoke `id_` seconds after the first."""
    said = Facts(**facts)
    return SourcePatient(
        id=id_,
        facility=facility,
        number=f"P{id_}",
        message_id=id_,
        changed_at=NOW + timedelta(seconds=id_),
        facts=said,
        observed=decide.observe(said),
        merged_into=99 if retired else None,
    )


def choice(field: str, *members: SourcePatient, rules: Rules | None = None) -> Choice:
    return next(one for one in survivorship.explain(members, rules) if one.field == field)


def test_the_golden_record_takes_the_newest_word_of_a_number_in_use() -> None:
    older = number(1, name="王珅", phone="1", id_card=CARD)
    newer = number(2, name="无名氏", phone="2", id_card="假的")
    retired = number(3, phone="3", address="广州", retired=True)
    golden = survivorship.golden(ME, [older, newer, retired], NOW)
    assert golden.facts == Facts(name="王珅", phone="2", id_card=CARD, address="广州")
    assert golden.active


def test_a_person_whom_everybody_left_is_not_active() -> None:
    assert not survivorship.golden(ME, [], NOW).active


@pytest.mark.parametrize(
    ("field", "members", "value", "why"),
    [
        ("phone", [number(1, phone="13800138000")], "13800138000", "only"),
        ("phone", [number(1, phone="13800138000"), number(2, phone="13800138000")], "13800138000", "agreed"),
        ("phone", [number(1), number(2)], None, None),
        ("phone", [number(1, phone="13800138000"), number(2, phone="8001")], "13800138000", "well_formed"),
        ("name", [number(1, name="王珅"), number(2, name="张三之子")], "王珅", "real_name"),
        ("name", [number(1, name="王珅", id_card=CARD), number(2, name="王坤")], "王珅", "verified"),
        ("name", [number(1, name="王珅"), number(2, name="王坤")], "王坤", "most_recent"),
        ("name", [number(1, name="王坤"), number(2, name="王珅", retired=True)], "王坤", "in_use"),
        (
            "birth_date",
            [number(1, birth_date=BORN, id_card=CARD), number(2, birth_date=date(1950, 1, 1), id_card=CARD)],
            BORN,
            "card_agrees",
        ),
        ("id_card", [number(1, id_card=CARD), number(2, id_card="123")], CARD, "valid_card"),
        ("id_card", [number(1, id_card="110105491231002"), number(2, id_card=CARD)], CARD, "agreed"),
        ("sex", [number(1, sex="female"), number(2, sex="unknown")], "female", "specific"),
    ],
)
def test_why_a_word_survives(field: str, members: list[SourcePatient], value: object, why: str) -> None:
    chosen = choice(field, *members)
    assert (chosen.value, chosen.why) == (value, why)


def test_a_trusted_campus_goes_first_where_the_rules_say_so() -> None:
    fields = dict.fromkeys(decide.FACTS, ("trusted",)) | {"address": ("most_complete",)}
    rules = Rules(fields, trusted=("HP", "MAIN"))
    members = number(1, "HY", name="甲", address="广州市"), number(2, "MAIN", name="乙", address="广州")
    assert choice("name", *members, rules=rules) == Choice("name", "乙", 2, "trusted")
    assert choice("address", *members, rules=rules) == Choice("address", "广州市", 1, "most_complete")


def test_where_nothing_tells_them_apart_the_first_number_stays() -> None:
    same_time = replace(number(2, name="王坤"), changed_at=number(1).changed_at)
    assert choice("name", number(1, name="王珅"), same_time).why == "registered_first"


@given(st.permutations([number(1, name="王珅"), number(2, "HP", name="王坤"), number(3, "HY", name="李四")]))
def test_the_order_of_the_numbers_does_not_matter(members: list[SourcePatient]) -> None:
    assert survivorship.golden(ME, members, NOW).facts.name == "李四"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("fields: {name: [in_use]}", "each field once"),
        ("fields: {" + ", ".join(f"{name}: [nearest]" for name in decide.FACTS) + "}", "nearest"),
    ],
)
def test_rules_that_cannot_be_are_refused(text: str, told: str) -> None:
    with pytest.raises(PermanentError, match=told):
        parse(text)


def test_a_record_that_has_no_other_word_is_told_by_number() -> None:
    assert choice("sex", number(7, sex="male")).source_patient_id == 7


def test_that_one_campus_says_vip_protects_the_person() -> None:
    assert choice("vip", number(1, vip=True), number(2, vip=False)).value is True
    assert choice("vip", number(1, name="贵宾3"), number(2, name="王珅")).value is True
    assert choice("vip", number(1, name="贵宾3", vip=False), number(2, name="王珅")).value is False
    assert choice("vip", number(1, name="王珅")).value is None
