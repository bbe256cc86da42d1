"""How much a user may ask for in a while."""

from __future__ import annotations

from api.rates import Allowance


class Clock:
    """Seconds that pass when a test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_what_is_used_up_comes_back_with_time() -> None:
    clock = Clock()
    allowance = Allowance(60, clock)
    assert allowance.take("ops", 60) == 0
    assert allowance.take("ops", 5) == 5
    clock.now = 4.9
    assert 0 < allowance.take("ops", 5) <= 0.1 + 1e-9
    clock.now = 5.0
    assert allowance.take("ops", 5) == 0
    assert allowance.take("ops", 1) == 1


def test_each_user_has_their_own() -> None:
    allowance = Allowance(60, Clock())
    assert allowance.take("ops", 60) == 0
    assert allowance.take("engineer", 60) == 0


def test_no_more_than_a_minute_is_saved_up() -> None:
    clock = Clock()
    allowance = Allowance(60, clock)
    allowance.take("ops", 1)
    clock.now = 3600
    assert allowance.take("ops", 60) == 0
    assert allowance.take("ops", 1) > 0


def test_what_is_larger_than_all_goes_once_and_is_owed() -> None:
    clock = Clock()
    allowance = Allowance(60, clock)
    assert allowance.take("ops", 120) == 0
    assert allowance.take("ops", 1) == 61
