"""The resident ID card: what is a number, and what it says."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consortium.identity import idcard

PUBLISHED = "11010519491231002X"
"""The example of GB 11643-1999."""


@st.composite
def cards(draw: st.DrawFn) -> str:
    born = draw(st.dates(date(1900, 1, 1), date(2026, 12, 31)))
    province = draw(st.sampled_from(["11", "31", "44", "51", "65", "71", "81", "91"]))
    place, order = draw(st.integers(0, 9999)), draw(st.integers(0, 999))
    first_17 = f"{province}{place:04}{born:%Y%m%d}{order:03}"
    return first_17 + idcard.check_character(first_17)


def test_the_standards_example_is_valid() -> None:
    assert idcard.normalise(PUBLISHED) == PUBLISHED
    assert idcard.birth_date(PUBLISHED) == date(1949, 12, 31)
    assert idcard.sex(PUBLISHED) == "female"


@given(cards())
def test_a_valid_number_is_its_own_normal_form(card: str) -> None:
    assert idcard.normalise(card) == card


@given(cards(), st.sampled_from(["lower", "full-width", "spaced"]))
def test_how_it_was_typed_does_not_matter(card: str, way: str) -> None:
    typed = {
        "lower": card.lower(),
        "full-width": card.translate({ord(c): ord(c) + 0xFEE0 for c in "0123456789X"}),
        "spaced": f" {card[:6]} {card[6:14]}\u3000{card[14:]} ",
    }[way]
    assert idcard.normalise(typed) == card


@given(cards(), st.integers(0, 16), st.integers(1, 9))
def test_one_wrong_digit_is_noticed(card: str, place: int, by: int) -> None:
    wrong = str((int(card[place]) + by) % 10)
    assert idcard.normalise(card[:place] + wrong + card[place + 1 :]) is None


@given(cards(), st.integers(0, 15))
def test_two_digits_swapped_are_noticed(card: str, place: int) -> None:
    swapped = card[:place] + card[place + 1] + card[place] + card[place + 2 :]
    assert swapped == card or idcard.normalise(swapped) is None


@given(cards())
def test_the_first_generations_fifteen_digits_are_the_same_number(card: str) -> None:
    if card[6:8] == "19":
        assert idcard.normalise(card[:6] + card[8:17]) == card


@given(st.text(max_size=25))
def test_any_text_is_a_number_or_none(text: str) -> None:
    card = idcard.normalise(text)
    assert card is None or idcard.normalise(card) == card


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "无",
        "1101051949123100",  # sixteen digits
        "110105194913310021",  # no such day
        "00010519491231002X",  # no such province
        "11010519491231002٣",  # an Arabic digit is no digit here
    ],
)
def test_what_is_no_number(text: str | None) -> None:
    assert idcard.normalise(text) is None
