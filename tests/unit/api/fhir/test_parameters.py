"""Search parameters are read once; what nobody reads is unknown."""

from __future__ import annotations

import pytest

from api.failures import FailureError
from api.fhir.parameters import MOST, Control, Given, Query, Token, control, reference_id, uuid_or_none

ID = "6f1c2d9e-3a52-5d8e-9a63-0c0f6f3f2a11"


def query(*items: tuple[str, str], prefer: str = "") -> Query:
    return Query.of(items, prefer)


def test_values_are_split_at_commas_that_are_not_escaped() -> None:
    assert query(("code", r"a,b\,c,,d\|e")).values("code") == ("a", "b,c", "d|e")


def test_tokens_tell_no_system_from_an_empty_one() -> None:
    tokens = query(("code", "http://loinc.org|1,|2,3")).tokens("code")
    assert tokens == (Token("http://loinc.org", "1"), Token("", "2"), Token(None, "3"))


def test_what_was_read_is_used_and_what_was_not_is_ignored() -> None:
    asked = query(("name:exact", "王"), ("colour", "red"), ("empty", ""))
    assert asked.one("name", ("exact",)) == Given("name", "exact", "王")
    asked.rest()
    assert asked.used == [("name:exact", "王")]


@pytest.mark.parametrize("prefer", ["handling=strict", "return=minimal; handling = strict"])
def test_strict_handling_names_what_is_unknown(prefer: str) -> None:
    asked = query(("colour", "red"), prefer=prefer)
    with pytest.raises(FailureError) as refused:
        asked.rest()
    assert [error.field for error in refused.value.failure.errors] == ["colour"]


def test_a_modifier_that_is_not_served_is_refused_even_leniently() -> None:
    with pytest.raises(FailureError):
        query(("name:missing", "true")).one("name", ("exact",))


def test_a_parameter_given_twice_is_refused_where_one_is_meant() -> None:
    with pytest.raises(FailureError):
        query(("name", "a"), ("name", "b")).one("name")


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([], Control()),
        ([("_count", "7")], Control(count=7)),
        ([("_count", "100000")], Control(count=MOST)),
        ([("_count", "0")], Control(only_count=True)),
        ([("_summary", "count")], Control(only_count=True)),
        ([("_summary", "true")], Control()),
        ([("_total", "accurate")], Control(total=True)),
        ([("_total", "none")], Control()),
        ([("_page", "abc")], Control(cursor="abc")),
        ([("_sort", "-date"), ("_format", "application/fhir+json; fhirVersion=4.0")], Control(sort="-date")),
        ([("_sort", "name")], Control()),
    ],
)
def test_the_controls_of_a_search(items: list[tuple[str, str]], expected: Control) -> None:
    assert control(query(*items), ("-date",)) == expected


@pytest.mark.parametrize(("name", "value"), [("_sort", "name"), ("_summary", "text")])
def test_what_cannot_be_served_is_left_out_of_the_self_link_or_refused(name: str, value: str) -> None:
    asked = query((name, value))
    control(asked, ("-date",))
    assert asked.used == []
    with pytest.raises(FailureError):
        control(query((name, value), prefer="handling=strict"), ("-date",))


@pytest.mark.parametrize("value", [ID, f"Patient/{ID}", f"http://127.0.0.1/fhir/Patient/{ID}"])
def test_a_reference_is_read_in_its_three_forms(value: str) -> None:
    assert reference_id("patient", "Patient", value) == uuid_or_none(ID)


def test_a_reference_to_something_else_is_refused_and_one_to_nothing_finds_none() -> None:
    with pytest.raises(FailureError):
        reference_id("patient", "Patient", f"Practitioner/{ID}")
    assert reference_id("patient", "Patient", "Patient/7") is None
