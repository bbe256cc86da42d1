"""The breaker opens after failures in a row, lets one message ask, and leaves a destination alone longer each
time.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.delivery.backoff import backoff
from bus.delivery.breaker import Breaker, Position
from bus.rules.destinations import Breaker as Thresholds

THRESHOLDS = Thresholds(failures=3, open_seconds=10, longest_seconds=35)


def breaker() -> Breaker:
    """One whose jitter gives the whole wait."""
    return Breaker(THRESHOLDS, lambda: 1.0)


def failed(one: Breaker, now: float, *which: int) -> Breaker:
    for failure in which:
        one.failed(now, failure)
    return one


def test_it_opens_after_failures_in_a_row_and_then_lets_one_ask() -> None:
    one = failed(breaker(), 100.0, 1, 2)
    assert (one.position(100.0), one.room(100.0, 4)) == (Position.CLOSED, 4)
    one.failed(100.0, 3)
    assert (one.position(109.9), one.room(109.9, 4), one.wait(104.0)) == (Position.OPEN, 0, 6.0)
    assert (one.position(110.0), one.room(110.0, 4), one.wait(110.0)) == (Position.HALF_OPEN, 1, 0.0)


def test_a_success_closes_it_and_begins_anew() -> None:
    one = failed(breaker(), 0.0, 1, 2)
    one.succeeded()
    failed(one, 0.0, 3, 4)
    assert one.position(0.0) is Position.CLOSED
    one.failed(0.0, 5)
    one.succeeded()
    assert (one.position(0.0), one.wait(0.0)) == (Position.CLOSED, 0.0)


def test_each_time_it_stays_open_for_longer_up_to_a_cap() -> None:
    one = failed(breaker(), 0.0, 1, 2, 3)
    now, waits = 0.0, []
    for ask in range(10, 14):
        waits.append(one.wait(now))
        now += one.wait(now)
        one.failed(now, ask)
    assert waits == [10.0, 20.0, 35.0, 35.0]


def test_one_message_that_fails_again_and_again_does_not_open_it_against_the_others() -> None:
    one = failed(breaker(), 0.0, *[7] * 20)
    assert one.position(0.0) is Position.CLOSED


def test_failures_that_end_while_it_is_open_do_not_lengthen_that() -> None:
    one = failed(breaker(), 0.0, 1, 2, 3)
    failed(one, 5.0, 4, 5, 6, 7)
    assert one.wait(5.0) == 5.0


@pytest.mark.parametrize(("failures", "whole"), [(1, 1.0), (2, 2.0), (5, 16.0), (9, 256.0), (10, 300.0)])
def test_waits_double_up_to_the_cap(failures: int, whole: float) -> None:
    assert backoff(failures, 1.0, 300.0, 1.0) == whole
    assert backoff(failures, 1.0, 300.0, 0.0) == whole / 2


@given(
    st.integers(min_value=-5, max_value=10**9),
    st.floats(min_value=0.001, max_value=1e3),
    st.floats(min_value=0.001, max_value=1e5),
    st.floats(min_value=0, max_value=1, exclude_max=True),
)
def test_a_wait_is_never_nothing_and_never_over_the_cap(
    failures: int, first: float, longest: float, chance: float
) -> None:
    assert min(first, longest) / 2 <= backoff(failures, first, longest, chance) <= longest
