"""Blocks: who is compared at all."""

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from consortium.identity.matching import blocks, comparable
from consortium.identity.matching.blocking import hashed
from consortium.identity.model import Facts

BORN = date(1990, 3, 7)


def together(left: Facts, right: Facts) -> set[str]:
    shared = blocks(comparable(left)) & blocks(comparable(right))
    return {key.split(":", 1)[0] for key in shared}


def test_homophones_of_one_day_meet() -> None:
    assert together(Facts("张伟", birth_date=BORN), Facts("章玮", birth_date=BORN)) == {"year", "day", "born"}


def test_a_mistyped_birth_date_still_meets() -> None:
    assert together(Facts("张伟", birth_date=BORN), Facts("张伟", birth_date=date(1990, 7, 3))) == {"year"}
    assert together(Facts("张伟", birth_date=BORN), Facts("张伟", birth_date=date(1991, 3, 7))) == {"day"}


def test_another_given_name_meets_on_the_birth_date() -> None:
    assert together(Facts("王珅", birth_date=BORN), Facts("王坤", birth_date=BORN)) == {"born"}


def test_a_phone_meets_alone() -> None:
    assert together(Facts(phone="13800138001"), Facts("李四", phone="+86 13800138001")) == {"phone"}


def test_a_name_in_latin_letters_meets_the_chinese_one_in_either_order() -> None:
    chinese = Facts("张伟", birth_date=BORN)
    assert "day" in together(chinese, Facts("Zhang Wei", birth_date=BORN))
    assert "day" in together(chinese, Facts("Wei Zhang", birth_date=BORN))


def test_a_stand_in_stands_only_in_the_block_of_its_phone() -> None:
    keys = blocks(comparable(Facts("王芳之子", birth_date=BORN, phone="13800138001")))
    assert keys == {"phone:13800138001"}


@given(st.text(), st.text())
def test_a_hash_is_a_bigint_and_tells_keys_apart(one: str, other: str) -> None:
    assert -(2**63) <= hashed(one) < 2**63
    assert (hashed(one) == hashed(other)) == (one == other)
