"""Deadlines of referrals in working time, by the calendar that Yilian comes with."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from consortium.referral.deadlines import due
from consortium.referral.model import Kind, Urgency
from consortium.scheduling.calendar_file import load
from consortium.scheduling.hours import WorkingTime
from runtime.settings import CHECKOUT

HOURS = WorkingTime(load(CHECKOUT / "rules"))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text + "+08:00")


@pytest.mark.parametrize(
    ("urgency", "facility", "now", "ends"),
    [
        ("routine", "MAIN", "2026-11-27T16:30:00", "2026-11-30T17:00:00"),
        ("routine", "NS", "2026-11-27T16:30:00", "2026-11-30T11:00:00"),
        ("urgent", "MAIN", "2026-09-30T16:30:00", "2026-10-08T09:00:00"),
        ("emergency", "MAIN", "2026-10-01T03:00:00", "2026-10-01T03:10:00"),
    ],
)
def test_the_receipt_of_a_referral_is_due_in_working_time(
    urgency: Urgency, facility: str, now: str, ends: str
) -> None:
    due_ = due(HOURS, Kind.RECEIPT, urgency, facility, at(now), None)
    assert (due_.at, due_.provisional) == (at(ends), False)
    assert due_.remind_at <= due_.at


@pytest.mark.parametrize("year", [2026, 2027, 2040])
def test_a_year_that_is_not_official_makes_the_deadline_provisional_and_stops_nothing(year: int) -> None:
    now = datetime(year, 12, 31, 9, 0, tzinfo=UTC)
    due_ = due(HOURS, Kind.RECEIPT, "routine", "MAIN", now, None)
    assert due_.provisional
    assert due_.at.year == year + 1
    assert not due(HOURS, Kind.RECEIPT, "emergency", "MAIN", now, None).provisional
