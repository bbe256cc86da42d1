"""What is proven of conditions is so: never reached means never reached."""

from __future__ import annotations

import json

import cel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.rules.condition import conjuncts_of, never_reached, read_condition


def reached(text: str, *earlier: str) -> bool:
    return not never_reached(read_condition(text, "HY"), [read_condition(e, "HY") for e in earlier])


@pytest.mark.parametrize(
    ("text", "earlier"),
    [
        ('msg.type == "A"', ['msg.type=="A"']),
        ('msg.type == "A"', ['"A" == msg.type']),
        ("msg.type == 'A'", ['(msg.type == "A")']),
        ('msg.type == "A" && msg.sender == "LIS"', ['msg.type == "A"']),
        ('msg.sender == "LIS" && msg.type == "A"', ['msg.type == "A" && msg.sender == "LIS"']),
        ('msg.type == "A"', ['msg.type in ["B", "A"]']),
        ('msg.type in ["A", "B"]', ['msg.type == "A"', 'msg.type == "B"']),
        ('msg.type == "A" && field("X") == "1"', ['msg.type == "A" && field("X") != ""']),
        ('msg.type == "A" && size(msg.sender) > 2', ['msg.type == "A" && size(msg.sender)>2']),
        ('msg.type == "A" && (msg.sender == "X" && msg.protocol == "mllp")', ['msg.protocol == "mllp"']),
        ('msg.type == "A"', ['msg.facility == "HY"']),
        ('msg.type == "A"', ['msg.type != "B"']),
    ],
)
def test_a_rule_that_earlier_ones_cover_is_never_reached(text: str, earlier: list[str]) -> None:
    assert not reached(text, *earlier)


@pytest.mark.parametrize(
    ("text", "earlier"),
    [
        ('msg.type == "A"', ['msg.type == "B"']),
        ('msg.type == "A"', ['msg.type == "A" && msg.sender == "LIS"']),
        ('msg.type in ["A", "B"]', ['msg.type == "A"']),
        ('msg.type == "A" || msg.sender == "B"', ['msg.type == "A"']),
        ('msg.type == "A"', ['msg.type == "A" && msg.sender == "X" || msg.sender == "Y"']),
        ('msg.type == "A"', ['msg.type == "A && B"']),
        ('msg.type == "A"', ['msg.facility == "HP"']),
        ('msg.type == "A" && field("X") != ""', ['msg.type == "A" && field("X") == "1"']),
        ('msg.type == "A"', []),
    ],
)
def test_a_rule_that_can_be_reached_is_not_called_unreachable(text: str, earlier: list[str]) -> None:
    assert reached(text, *earlier)


def test_conditions_that_shut_each_other_out_are_not_possible_together() -> None:
    def together(one: str, other: str) -> bool:
        return read_condition(one, "HY").both(read_condition(other, "HY")).possible()

    assert not together('msg.type == "A" && msg.sender == "LIS"', 'msg.type == "A" && msg.sender == "RIS"')
    assert not together('field("X") == ""', 'field("X") != ""')
    assert together('msg.type == "A"', 'msg.sender == "LIS"')
    assert together('field("X") != "1"', 'field("X") != ""')


def test_a_text_with_signs_in_it_is_one_text() -> None:
    assert [c.text for c in conjuncts_of('msg.type == "a && b" && msg.sender != ")"')] == [
        'msg . type == "a && b"',
        'msg . sender != ")"',
    ]


SUBJECTS, VALUES = ("type", "sender"), ("", "A", "B")


def among(subject: str, values: list[str]) -> str:
    return f"msg.{subject} in {json.dumps(values)}"


@st.composite
def atoms(draw: st.DrawFn) -> str:
    subject, sign = draw(st.sampled_from(SUBJECTS)), draw(st.sampled_from(("==", "!=", "in")))
    values = draw(st.lists(st.sampled_from(VALUES), min_size=1, max_size=3))
    return among(subject, values) if sign == "in" else f'msg.{subject} {sign} "{values[0]}"'


def joined(one: str, sign: str, other: str, *, apart: bool) -> str:
    return f"({one} {sign} {other})" if apart else f"{one} {sign} {other}"


def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(joined, inner, st.sampled_from(("&&", "||")), inner, apart=st.booleans())


TEXTS = st.recursive(atoms(), grown, max_leaves=4)


@given(TEXTS, st.lists(TEXTS, max_size=3))
def test_never_reached_holds_for_every_message(text: str, earlier: list[str]) -> None:
    if reached(text, *earlier):
        return
    for kind in VALUES:
        for sender in VALUES:
            message = {"msg": {"type": kind, "sender": sender, "facility": "HY"}}
            if cel.evaluate(text, message):
                assert any(cel.evaluate(e, message) for e in earlier)
