"""Connections are merged into presence, whatever order they come in."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from consortium.teleconsult.rooms.attendance import RECONNECT, Presence, merge, total
from tests.unit.consortium.teleconsult.booked import NOW

SECOND = timedelta(seconds=1)


def at(second: int) -> datetime:
    return NOW + second * SECOND


def span(since: int, until: int | None) -> Presence:
    return Presence(at(since), None if until is None else at(until))


def test_a_broken_connection_is_no_leaving() -> None:
    assert merge([span(0, 100), span(190, 300)]) == [span(0, 300)]


def test_whoever_comes_back_later_was_away() -> None:
    assert merge([span(0, 100), span(191, 300)]) == [span(0, 100), span(191, 300)]


def test_a_connection_that_lasts_keeps_the_presence_open() -> None:
    assert merge([span(50, None), span(0, 60), span(70, 80)]) == [span(0, None)]


def test_two_connections_at_once_count_once() -> None:
    merged = merge([span(0, 100), span(20, 40), span(90, 120)])
    assert merged == [span(0, 120)]
    assert total(merged, at(500)) == 120 * SECOND


def test_somebody_who_is_there_counts_until_now() -> None:
    assert total([span(0, 10), span(200, None)], at(260)) == 70 * SECOND


SPANS = st.lists(
    st.tuples(st.integers(0, 5000), st.one_of(st.none(), st.integers(0, 900))).map(
        lambda pair: span(pair[0], None if pair[1] is None else pair[0] + pair[1])
    ),
    max_size=12,
)


@given(SPANS, st.randoms())
def test_order_does_not_matter_and_nothing_is_lost(spans: list[Presence], random) -> None:
    merged = merge(spans)
    shuffled = list(spans)
    random.shuffle(shuffled)
    assert merge(shuffled) == merged
    assert merge(merged) == merged
    for one, after in itertools.pairwise(merged):
        assert one.until is not None
        assert after.since - one.until > RECONNECT
    for one in spans:
        assert any(
            m.since <= one.since and (m.until is None or (one.until is not None and m.until >= one.until))
            for m in merged
        )
