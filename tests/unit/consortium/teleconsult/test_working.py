"""Deadlines run in the working time of the reviewed calendar, holidays and years to come included."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from consortium.scheduling.calendar_file import load
from consortium.scheduling.hours import WorkingTime
from consortium.teleconsult.deadlines import due
from consortium.teleconsult.model import Deadline
from tests.conftest import CHECKOUT

CHINA = timezone(timedelta(hours=8))
CALENDAR = WorkingTime(load(CHECKOUT / "rules"))


def test_a_deadline_passes_over_the_national_holiday() -> None:
    start = datetime(2026, 9, 30, 16, 30, tzinfo=CHINA)
    ends = CALENDAR.deadline("MAIN", start, 8 * 60).at
    assert ends - start > timedelta(days=7)


def test_a_year_without_official_days_is_reckoned_with_all_the_same() -> None:
    start = datetime(2031, 3, 3, 9, tzinfo=CHINA)
    assert start < CALENDAR.deadline("MAIN", start, 60).at < start + timedelta(days=1)


def test_what_is_urgent_runs_through_the_night() -> None:
    night = datetime(2026, 10, 1, 2, tzinfo=CHINA)
    assert due(CALENDAR, Deadline.TRIAGE, "urgent", "MAIN", night, None).at == night + timedelta(minutes=15)
    assert due(CALENDAR, Deadline.TRIAGE, "routine", "MAIN", night, None).at > night + timedelta(days=5)
