"""Converters: text of a message to the type of a canonical field."""

from __future__ import annotations

import base64
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.rules.converters import CONVERTERS, ConversionError


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("王^珅", "王珅"),
        ("欧阳^倩", "欧阳倩"),
        ("王小明", "王小明"),
        ("Smith^John", "John Smith"),
        ("Smith^John^Q", "John Q Smith"),
        ("^珅", "珅"),
        ("王^珅\nWANG^Shen", "王珅"),
        ("Müller&von^Ute", "MüllerUte"),
    ],
)
def test_a_name_is_written_as_people_write_it(text: str, name: str) -> None:
    assert CONVERTERS["name"](text) == name


@pytest.mark.parametrize(("text", "name"), [("1001^周明", "周明"), ("1001^周^明", "周明"), ("1001", None)])
def test_a_member_of_staff_has_a_number_before_the_name(text: str, name: str | None) -> None:
    assert CONVERTERS["staff_name"](text) == name


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3))
def test_a_plain_number_comes_back_as_it_was(number: Decimal) -> None:
    assert CONVERTERS["decimal"](f"{number:f}") == number
    assert CONVERTERS["number"](f"{number:f}") == number


@pytest.mark.parametrize("text", ["阴性", "<0.01", "1e5", "1.2.3", "NaN", "١٢"])
def test_what_is_no_plain_number_is_none_or_an_error(text: str) -> None:
    assert CONVERTERS["number"](text) is None
    with pytest.raises(ConversionError):
        CONVERTERS["decimal"](text)


@given(st.binary())
def test_base64_comes_back_as_it_was(content: bytes) -> None:
    text = base64.b64encode(content).decode()
    assert CONVERTERS["base64"](text[:10] + "\r\n" + text[10:]) == content


@pytest.mark.parametrize("name", ["base64", "bool", "integer"])
def test_a_value_that_does_not_convert_is_not_quoted(name: str) -> None:
    with pytest.raises(ConversionError) as caught:
        CONVERTERS[name]("王珅*")
    assert "王" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"), [("Y", True), ("1", True), ("是", True), ("n", False), ("false", False)]
)
def test_yes_and_no_are_known_in_their_spellings(text: str, value: bool) -> None:
    assert CONVERTERS["bool"](text) is value
