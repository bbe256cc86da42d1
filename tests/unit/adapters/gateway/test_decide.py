"""What the hub takes of a batch."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.gateway.codec import Message, Received, Status, Taken
from adapters.gateway.decide import GapError, HistoryError, Position, fresh

PAYLOAD = Message("HP", "HIS", "C", "ADT^A08", b"", "utf-8", "mllp", "mllp", b"")


def mark(seq: int) -> bytes:
    return seq.to_bytes(16, "big")


def batch(first: int, last: int, after: bytes | None = None) -> Received:
    entries = [Taken(seq, mark(seq), 0.0, PAYLOAD) for seq in range(first, last + 1)]
    before = after if after is not None else mark(first - 1) if first > 1 else b""
    return Received("g", bytes(16), before, entries, Status())


def numbers(position: int, taken: Received) -> list[int]:
    known = Position(position, mark(position)) if position else None
    return [entry.seq for entry in fresh(known, taken)]


@pytest.mark.parametrize(
    ("position", "first", "last", "taken"),
    [
        (0, 1, 3, [1, 2, 3]),
        (3, 4, 5, [4, 5]),
        (3, 1, 5, [4, 5]),
        (3, 3, 5, [4, 5]),
        (3, 1, 3, []),
        (3, 1, 2, []),
        (3, 4, 3, []),
    ],
)
def test_what_came_before_is_left_out(position: int, first: int, last: int, taken: list[int]) -> None:
    assert numbers(position, batch(first, last)) == taken


def test_a_gap_is_refused_and_says_what_must_come() -> None:
    with pytest.raises(GapError) as raised:
        numbers(3, batch(5, 6))
    assert raised.value.expected == 4


def test_a_spool_that_the_hub_forgot_is_a_gap_and_one_that_begins_anew_is_none() -> None:
    with pytest.raises(GapError) as raised:
        numbers(0, batch(5, 6))
    assert raised.value.expected == 1
    assert numbers(0, batch(5, 6, after=b"")) == [5, 6]


def test_the_same_numbers_of_another_history_are_refused() -> None:
    other = Position(3, b"x" * 16)
    for taken in (batch(4, 5), batch(2, 5)):
        with pytest.raises(HistoryError):
            fresh(other, taken)


@given(st.lists(st.integers(1, 5), max_size=6), st.data())
def test_batches_sent_again_in_any_size_bring_each_entry_once(sizes: list[int], data: st.DataObject) -> None:
    position, taken = 0, list[int]()
    for size in sizes:
        first = data.draw(st.integers(1, position + 1))
        new = numbers(position, batch(first, first + size - 1))
        taken += new
        position = max(position, *new, 0)
    assert taken == list(range(1, position + 1))
