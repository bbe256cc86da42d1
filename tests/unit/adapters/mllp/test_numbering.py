"""What the number of a message decides, and that MSH-13 alone is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.mllp.numbering import Decision, Head, Verdict, decide, expected_of
from bus.delivery.transport import UnsendableError
from bus.hl7.message import parse
from tests.integration.bus.clinic import hl7


@pytest.mark.parametrize(
    ("expected", "last", "before", "decision"),
    [
        (-1, None, None, Decision(Verdict.SEND, 1)),
        (-1, 7, None, Decision(Verdict.SEND, 8)),
        (-1, 7, 7, Decision(Verdict.LOST)),
        (8, 7, None, Decision(Verdict.SEND, 8)),
        (8, 7, 7, Decision(Verdict.TAKEN)),
        (7, 7, 7, Decision(Verdict.SEND, 7)),
        (9, 8, 7, Decision(Verdict.TAKEN)),
        (3, 7, 5, Decision(Verdict.SEND, 3)),
    ],
)
def test_the_expected_number_says_whether_a_message_was_taken(
    expected: int, last: int | None, before: int | None, decision: Decision
) -> None:
    assert decide(expected, last, before) == decision


@pytest.mark.parametrize(("field", "number"), [(b"12", 12), (b"-1", -1), (b"", None), (b"x", None)])
def test_msa_4_is_read(field: bytes, number: int | None) -> None:
    assert expected_of(field) == number


@given(st.integers(1, 10**15 - 1), st.sampled_from(["utf-8", "gb18030"]))
def test_nothing_but_msh_13_changes(number: int, codec: str) -> None:
    name = "欧阳珅"  # the last byte of 珅 is a delimiter in GB18030
    body = f"MSH|^~\\&|{name}|MAIN|B|G|2026||ADT^A08|C1|P|2.5\rPID|1||M1\r".encode(codec)
    sent = parse(Head.of(body, codec).numbered(number), codec)
    assert sent.get("MSH-13") == str(number)
    assert Head.of(Head.of(body, codec).numbered(number), codec).numbered(5) == Head.of(body, codec).numbered(
        5
    )
    assert Head.of(body, codec).numbered(number).replace(f"|{number}\r".encode(), b"\r", 1) == body


def test_a_head_that_does_not_read_in_its_charset_is_not_sent() -> None:
    body = "MSH|^~\\&|珅|MAIN|B|G|2026||ADT^A08|C1|P|2.5\r".encode("gb18030")
    with pytest.raises(UnsendableError, match="MSH-18"):
        Head.of(body, "utf-8")


def test_the_opening_has_neither_type_nor_content() -> None:
    arrival = hl7("ADT^A08", control_id="C-1")
    opening = parse(Head.of(arrival.body, arrival.charset).opening("YLS1", "20261125"), arrival.charset)
    assert [opening.get(f"MSH-{n}") for n in (3, 10, 13)] == [arrival.sender, "YLS1", "0"]
    assert (len(opening.all), opening.get("MSH-9.1")) == (1, None)
