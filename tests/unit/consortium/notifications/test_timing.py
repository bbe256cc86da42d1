"""Quiet hours and limits."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest

from consortium.notifications.rendering import ZONE
from consortium.notifications.templates import Quiet
from consortium.notifications.timing import free_at, hours, quiet_until


def local(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-{text}").replace(tzinfo=ZONE).astimezone(UTC)


@pytest.mark.parametrize(
    ("now", "ends"),
    [
        ("25T21:29", None),
        ("25T21:30", "26T07:30"),
        ("25T23:59", "26T07:30"),
        ("26T00:00", "26T07:30"),
        ("26T07:29", "26T07:30"),
        ("26T07:30", None),
        ("26T12:00", None),
    ],
)
def test_a_night_passes_midnight(now: str, ends: str | None) -> None:
    night = hours(Quiet(begins="21:30", ends="07:30"))
    assert quiet_until(local(now), *night) == (None if ends is None else local(ends))


@pytest.mark.parametrize(
    ("now", "ends"),
    [("25T11:59", None), ("25T12:00", "25T14:00"), ("25T13:59", "25T14:00"), ("25T14:00", None)],
)
def test_a_rest_at_noon_does_not(now: str, ends: str | None) -> None:
    assert quiet_until(local(now), time(12), time(14)) == (None if ends is None else local(ends))


def test_hours_that_begin_as_they_end_are_none() -> None:
    assert quiet_until(local("25T12:00"), time(12), time(12)) is None


def test_one_more_fits_an_hour_after_the_one_that_fills_the_limit() -> None:
    now = local("25T12:00")
    sent = [now - timedelta(minutes=minutes) for minutes in (50, 10, 30)]
    assert free_at(sent, 4) is None
    assert free_at(sent, 3) == now + timedelta(minutes=10)
    assert free_at(sent, 2) == now + timedelta(minutes=30)
