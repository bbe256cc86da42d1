"""Which number is next, which is the last again, and what is only about the link."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.mllp.sequence import Last, Opening, Verdict, decide, expected, number_of, opening
from bus.hl7.problem import HL7Error

CAMPUSES = {"MAIN": "utf-8", "HP": "gb18030"}


@pytest.mark.parametrize(
    ("last", "number", "control_id", "verdict"),
    [
        (None, 1, "C1", Verdict.TAKE),
        (None, 4711, "C1", Verdict.TAKE),
        (Last(1, "C1"), 2, "C2", Verdict.TAKE),
        (Last(1, "C1"), 1, "C1", Verdict.REPEAT),
        (Last(1, "C1"), 1, "C2", Verdict.REFUSE),
        (Last(5, "C5"), 4, "C4", Verdict.REFUSE),
        (Last(5, "C5"), 7, "C7", Verdict.REFUSE),
    ],
)
def test_a_number_decides(last: Last | None, number: int, control_id: str, verdict: Verdict) -> None:
    assert decide(last, number, control_id) is verdict


@given(st.lists(st.integers(1, 8), max_size=40))
def test_whatever_is_sent_what_is_taken_has_no_gap_and_nothing_twice(numbers: list[int]) -> None:
    last, taken = None, []
    for number in numbers:
        if decide(last, number, f"C{number}") is Verdict.TAKE:
            last = Last(number, f"C{number}")
            taken.append(number)
    assert taken == list(range(taken[0], taken[0] + len(taken))) if taken else not numbers


def test_what_is_expected() -> None:
    assert (expected(None), expected(Last(7, "C7"))) == (-1, 8)


@pytest.mark.parametrize(
    ("field", "code"), [("", "missing_field"), ("x", "bad_field"), ("0", "bad_field"), ("1.5", "bad_field")]
)
def test_a_field_that_is_no_number_is_refused(field: str, code: str) -> None:
    with pytest.raises(HL7Error) as caught:
        number_of(field)
    assert (caught.value.code, caught.value.location) == (code, "MSH-13")


def header(number: str, facility: str = "MAIN", sender: str = "LIS", kind: str = "", rest: str = "") -> bytes:
    return f"MSH|^~\\&|{sender}|{facility}|B|H|1||{kind}|C1|P|2.5|{number}\r{rest}".encode("gb18030")


@pytest.mark.parametrize("number", ["0", "-1"])
@pytest.mark.parametrize("rest", ["", "EVN\rPID|||^^^\r", 'PID|""|\r'])
def test_a_message_about_the_link_needs_no_type_and_no_content(number: str, rest: str) -> None:
    found = opening(header(number, "HP", "检验珅", rest=rest), CAMPUSES)
    assert isinstance(found, Opening)
    assert (found.number, found.facility, found.sender, found.fields[9]) == (
        int(number),
        "HP",
        "检验珅",
        "C1",
    )


def test_any_other_number_is_not_about_the_link() -> None:
    assert [opening(header(number), CAMPUSES) for number in ("", "1", "00", "x")] == [None] * 4
    assert opening(b"hello", CAMPUSES) is None


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (header("0", kind="ADT^A01", rest="PID|1||P1\r"), "bad_field"),
        (header("0", facility="X"), "unknown_campus"),
    ],
)
def test_content_under_a_reserved_number_is_refused_and_not_lost(raw: bytes, code: str) -> None:
    with pytest.raises(HL7Error) as caught:
        opening(raw, CAMPUSES)
    assert caught.value.code == code
