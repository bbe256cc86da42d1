"""Which days' bodies may go, and which partitions are made ahead."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.retention.decide import AHEAD, Keep, Partition, beginning, due, to_make, today

NOON = datetime(2026, 11, 24, 4, tzinfo=UTC)
"""Noon in China."""
DAY = date(2026, 11, 24)


def partitions(*days_ago: int) -> list[Partition]:
    return [Partition(DAY - timedelta(days=ago), 1, 8192) for ago in days_ago]


def test_a_day_goes_when_its_last_body_is_older_than_bodies_are_kept() -> None:
    days = partitions(30, 31, 32, 0, -7)
    assert due(days, Keep(bodies=30), NOON) == partitions(32, 31)


def test_nothing_goes_that_is_kept_for_ever() -> None:
    assert due(partitions(10_000), Keep(bodies=0), NOON) == []
    assert Keep().before(0, NOON) is None


@pytest.mark.parametrize(("hour", "day"), [(15, DAY), (16, DAY + timedelta(days=1))])
def test_a_day_is_chinas(hour: int, day: date) -> None:
    at = datetime(2026, 11, 24, hour, 30, tzinfo=UTC)
    assert today(at) == day
    assert beginning(day) <= at < beginning(day + timedelta(days=1))


def test_the_days_to_come_are_made_once() -> None:
    made = to_make([], NOON)
    assert made == [DAY + timedelta(days=ahead) for ahead in range(AHEAD + 1)]
    assert to_make(made, NOON) == []
    assert to_make(made, NOON + timedelta(days=1)) == [made[-1] + timedelta(days=1)]


@given(
    days=st.lists(st.integers(-10, 4000), unique=True),
    kept=st.integers(1, 3650),
    minutes=st.integers(0, 60 * 24 * 400),
)
def test_no_body_goes_before_its_time(days: list[int], kept: int, minutes: int) -> None:
    now = NOON + timedelta(minutes=minutes)
    known = partitions(*days)
    gone = due(known, Keep(bodies=kept), now)
    for one in known:
        youngest = beginning(one.day + timedelta(days=1))
        assert (one in gone) == (youngest <= now and (today(now) - one.day).days > kept)
        assert one not in gone or now - youngest >= timedelta(days=kept)
