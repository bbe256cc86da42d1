"""Waits after failed sign-ins grow, and end."""

from __future__ import annotations

from datetime import timedelta

from consortium.access.lockout import FREE_TRIES, LONGEST_WAIT, wait_after


def test_the_first_failures_cost_nothing() -> None:
    assert [wait_after(n, FREE_TRIES) for n in range(FREE_TRIES)] == [timedelta(0)] * FREE_TRIES


def test_the_wait_doubles_up_to_a_quarter_of_an_hour() -> None:
    minutes = [wait_after(n, 5) / timedelta(minutes=1) for n in range(5, 11)]
    assert minutes == [1, 2, 4, 8, 15, 15]
    assert wait_after(10**9, 5) == LONGEST_WAIT
