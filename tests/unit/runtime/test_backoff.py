"""Backoff: doubles, stays below its limit, and begins anew after a steady run."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runtime import backoff


def test_the_first_restart_comes_at_once_and_the_next_ones_take_twice_as_long() -> None:
    assert [backoff.delay(n) for n in range(6)] == [0.0, 0.5, 1.0, 2.0, 4.0, 8.0]


@given(st.integers(min_value=0, max_value=10**9))
def test_no_wait_is_longer_than_the_limit_or_shorter_than_the_one_before(failures: int) -> None:
    assert backoff.delay(failures) <= backoff.delay(failures + 1) <= backoff.LONGEST


def test_a_service_that_ran_steadily_starts_counting_anew() -> None:
    assert backoff.failures_after(7, backoff.STEADY) == 1
    assert backoff.failures_after(7, backoff.STEADY - 1) == 8
