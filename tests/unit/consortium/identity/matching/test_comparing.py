"""Dates, cards, telephones and addresses compared."""

from datetime import date

import pytest

from consortium.identity.matching import FIELDS, LEVELS, MISSING, comparable, compare
from consortium.identity.matching.addresses import address
from consortium.identity.matching.comparing import compare_addresses, compare_birth_dates, compare_cards
from consortium.identity.matching.preparing import phones
from consortium.identity.model import Facts, Former

CARD = "11010519491231002X"
OTHER = "440105199003072318"
BORN = date(1949, 12, 31)
LANE = "广东省广州市越秀区中山二路58号3栋502室"


@pytest.mark.parametrize(
    ("left", "right", "level"),
    [
        (date(1990, 3, 7), date(1990, 3, 7), "exact"),
        (date(1990, 3, 7), date(1990, 7, 3), "typo"),
        (date(1990, 3, 7), date(1991, 3, 7), "typo"),
        (date(1990, 3, 7), date(1990, 3, 17), "typo"),
        (date(1990, 3, 7), date(1980, 3, 7), "typo"),
        (date(1990, 3, 7), date(1990, 1, 1), "year"),
        (date(1990, 3, 7), date(1990, 8, 21), "differs"),
        (date(1990, 3, 7), date(1988, 3, 17), "differs"),
        (None, date(1990, 3, 7), "missing"),
    ],
)
def test_dates(left: date | None, right: date | None, level: str) -> None:
    one, other = comparable(Facts(birth_date=left)), comparable(Facts(birth_date=right))
    assert compare_birth_dates(one, other) == compare_birth_dates(other, one) == level


@pytest.mark.parametrize(
    ("left", "right", "level"),
    [
        (Facts(id_card=CARD), Facts(id_card="110105491231002"), "exact"),
        (Facts(id_card=CARD), Facts(id_card=CARD.lower(), birth_date=BORN, sex="female"), "exact"),
        (Facts(id_card=CARD), Facts(id_card=CARD, birth_date=date(2020, 5, 1)), "doubtful"),
        (Facts(id_card=CARD), Facts(id_card=CARD, sex="male"), "doubtful"),
        (Facts(id_card=CARD), Facts(id_card="11010519491231003X"), "near"),
        (Facts(id_card=CARD), Facts(id_card="1101051949123102X"), "near"),
        (Facts(id_card="假的"), Facts(id_card="假的"), "near"),
        (Facts(id_card=CARD), Facts(id_card="假的"), "missing"),
        (Facts(id_card=CARD), Facts(id_card=OTHER), "differs"),
        (Facts(id_card=CARD), Facts(), "missing"),
    ],
)
def test_cards(left: Facts, right: Facts, level: str) -> None:
    one, other = comparable(left), comparable(right)
    assert compare_cards(one, other) == compare_cards(other, one) == level


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("13800138001", {"13800138001"}),
        ("+86 138-0013-8001", {"13800138001"}),
        ("008613800138001", {"13800138001"}),
        ("０２０－８１２３４５６７", {"2081234567"}),
        ("13800138001/020-81234567", {"13800138001", "2081234567"}),
        ("13800138001；13900139002", {"13800138001", "13900139002"}),
        ("00000000", set()),
        ("11111111111", set()),
        ("12345678", set()),
        ("无", set()),
        (None, set()),
    ],
)
def test_phones(text: str | None, found: set[str]) -> None:
    assert phones(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "广州市越秀区中山二路58号3栋502",
        "广州越秀区中山二路五十八号3幢502室",
        "广东省 广州市 越秀区 中山二路58-3-502",
        "廣東省廣州市越秀區中山二路58號3棟502室",
        "越秀区中山二路５８号３栋５０２房",
    ],
)
def test_one_address_written_in_many_ways(text: str) -> None:
    assert address(text) == address(LANE)


@pytest.mark.parametrize(
    ("left", "right", "level"),
    [
        (LANE, "广州市越秀区中山二路58号3栋502", "exact"),
        (LANE, "越秀区农林街中山二路58号3栋502室", "near"),
        (LANE, "越秀区中山二路58号3栋503室", "area"),
        (LANE, "广州市越秀区东风东路12号", "area"),
        (LANE, "广州市天河区天河路1号", "differs"),
        (LANE, "广东省", "missing"),
        (LANE, None, "missing"),
    ],
)
def test_addresses(left: str, right: str | None, level: str) -> None:
    one, other = comparable(Facts(address=left)), comparable(Facts(address=right))
    assert compare_addresses(one, other) == compare_addresses(other, one) == level


def test_what_a_number_said_earlier_is_compared_too() -> None:
    now = Facts(
        name="王美丽", birth_date=date(1990, 3, 7), id_card=OTHER, phone="13900139002", address="黄埔区1号"
    )
    then = Former(("王招弟",), (date(1991, 8, 1),), (CARD,), ("13800138001",), (LANE,))
    other = Facts("王招弟", None, date(1991, 8, 1), CARD, "13800138001", LANE)
    vector = compare(comparable(now, then), comparable(other))
    assert {field: vector[field] for field in FIELDS if field != "sex"} == dict.fromkeys(
        ("name", "birth_date", "card", "phone", "address"), "former"
    )
    assert vector == compare(comparable(other), comparable(now, then))


def test_every_field_of_nothing_is_missing() -> None:
    assert set(compare(comparable(Facts()), comparable(Facts())).values()) == {MISSING}
    assert set(LEVELS) == set(FIELDS)
