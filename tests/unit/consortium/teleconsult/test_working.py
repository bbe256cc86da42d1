"""Deadlines run in the working time of the reviewed calendar, holidays and years to come included."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from consortium.teleconsult.deadlines import due
from consortium.teleconsult.model import Deadline
from consortium.teleconsult.working import WorkingHours
from tests.conftest import CHECKOUT

CHINA = timezone(timedelta(hours=8))
HOURS = WorkingHours(CHECKOUT / "rules")


def test_a_deadline_passes_over_the_national_holiday() -> None:
    start = datetime(2026, 9, 30, 16, 30, tzinfo=CHINA)
    ends = HOURS.ends("MAIN", start, 8 * 60)
    assert ends - start > timedelta(days=7)


def test_a_year_without_official_days_is_reckoned_with_all_the_same() -> None:
    start = datetime(2031, 3, 3, 9, tzinfo=CHINA)
    assert start < HOURS.ends("MAIN", start, 60) < start + timedelta(days=1)


def test_what_is_urgent_runs_through_the_night() -> None:
    night = datetime(2026, 10, 1, 2, tzinfo=CHINA)
    assert due(HOURS, Deadline.TRIAGE, "urgent", "MAIN", night, None).at == night + timedelta(minutes=15)
    assert due(HOURS, Deadline.TRIAGE, "routine", "MAIN", night, None).at > night + timedelta(days=5)
