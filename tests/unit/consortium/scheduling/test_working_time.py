"""Deadlines in working time: across nights, weekends, public holidays and make-up days."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consortium.scheduling import (
    UnknownYearError,
    WorkingCalendar,
    deadline,
    provisional_years,
    working_between,
)
from consortium.scheduling.calendar_file import load
from runtime.settings import CHECKOUT

ZONE = ZoneInfo("Asia/Shanghai")
FILE = load(CHECKOUT / "rules")
MAIN = FILE.calendar("MAIN")
NANSHA = FILE.calendar("NS")
PROVISIONAL = FILE.calendar("MAIN", provisional=True)
EMERGENCY = FILE.calendar("MAIN", emergency=True)
DAY = 4 * 60 + 3 * 60 + 30
"""Working minutes of a day of the main campus."""


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE)


@pytest.mark.parametrize(
    ("start", "minutes", "due"),
    [
        ("2026-11-25 09:00", 60, "2026-11-25 10:00"),
        ("2026-11-25 11:30", 60, "2026-11-25 14:30"),  # over lunch
        ("2026-11-25 17:00", 60, "2026-11-26 08:30"),  # over night
        ("2026-11-27 17:00", 60, "2026-11-30 08:30"),  # over the weekend
        ("2026-11-28 10:00", 30, "2026-11-30 08:30"),  # applied for on a Saturday
        ("2026-11-25 09:00", 180, "2026-11-25 12:00"),  # falls on closing
        ("2026-11-25 12:00", 0, "2026-11-25 12:00"),  # closing is still working time
        ("2026-11-25 13:00", 0, "2026-11-25 14:00"),
        ("2026-02-13 17:00", 60, "2026-02-14 08:30"),  # the Saturday before Spring Festival is worked
        ("2026-02-14 17:00", 60, "2026-02-24 08:30"),  # then nine days off
        ("2026-09-24 17:30", 1, "2026-09-28 08:01"),  # Mid-Autumn, a Friday
        ("2026-09-30 16:30", 60, "2026-09-30 17:30"),
        ("2026-09-30 16:30", 61, "2026-10-08 08:01"),  # National Day
        ("2026-10-09 17:00", 60, "2026-10-10 08:30"),  # a Saturday that makes up
        ("2026-01-01 10:00", 1, "2026-01-04 08:01"),  # a Sunday that makes up
    ],
)
def test_a_deadline_passes_over_what_is_not_worked(start: str, minutes: int, due: str) -> None:
    assert deadline(MAIN, at(start), minutes) == at(due)


def test_an_organisation_has_hours_of_its_own() -> None:
    assert deadline(NANSHA, at("2026-11-27 17:00"), 60) == at("2026-11-28 08:30")
    assert deadline(NANSHA, at("2026-11-28 11:30"), 60) == at("2026-11-30 08:30")
    assert deadline(NANSHA, at("2026-05-09 13:00"), 1) == at("2026-05-09 14:31")  # a made-up Saturday, whole


def test_emergencies_count_around_the_clock_in_every_year() -> None:
    assert deadline(EMERGENCY, at("2026-10-01 23:50"), 15) == at("2026-10-02 00:05")
    assert deadline(EMERGENCY, at("2031-02-01 03:00"), 24 * 60) == at("2031-02-02 03:00")
    assert working_between(EMERGENCY, at("2026-10-01 00:00"), at("2026-10-08 00:00")) == timedelta(days=7)
    assert provisional_years(EMERGENCY, at("2026-12-31 12:00"), at("2027-01-02 12:00")) == ()


def test_a_year_without_official_days_is_told_and_never_guessed() -> None:
    with pytest.raises(UnknownYearError, match="2027") as refused:
        deadline(MAIN, at("2026-12-31 17:00"), 60)
    assert (refused.value.year, refused.value.provisional) == (2027, True)
    with pytest.raises(UnknownYearError, match="does not have 2025"):
        deadline(MAIN, at("2025-12-31 17:00"), 1)
    with pytest.raises(UnknownYearError, match="2027"):
        working_between(MAIN, at("2026-12-31 09:00"), at("2027-01-04 09:00"))


def test_what_ends_within_the_known_years_needs_no_other() -> None:
    assert deadline(MAIN, at("2026-12-31 16:30"), 60) == at("2026-12-31 17:30")
    whole = working_between(MAIN, at("2026-12-31 08:00"), at("2026-12-31 23:59"))
    assert whole == timedelta(minutes=DAY)


def test_a_provisional_year_is_reckoned_with_when_asked_and_said() -> None:
    start = at("2026-12-31 17:00")
    due = deadline(PROVISIONAL, start, 60)
    assert due == at("2027-01-04 08:30")
    assert provisional_years(PROVISIONAL, start, due) == (2027,)
    assert provisional_years(PROVISIONAL, at("2026-12-01 09:00"), at("2026-12-31 09:00")) == ()
    with pytest.raises(UnknownYearError, match="2028"):
        deadline(PROVISIONAL, at("2027-12-31 17:00"), 60)


def test_the_year_2026_has_the_working_days_of_the_notice() -> None:
    days = [date(2026, 1, 1) + timedelta(days=n) for n in range(365)]
    worked = [day for day in days if MAIN.works_on(day)]
    assert len(worked) == 248
    assert [day for day in worked if day.weekday() >= 5] == [
        date(2026, 1, 4),
        date(2026, 2, 14),
        date(2026, 2, 28),
        date(2026, 5, 9),
        date(2026, 9, 20),
        date(2026, 10, 10),
    ]
    assert FILE.holiday(date(2026, 2, 17)) == "春节"
    assert FILE.holiday(date(2026, 2, 24)) is None


@pytest.mark.parametrize("wrong", [datetime(2026, 11, 25, 9), datetime(2026, 11, 25, 9, tzinfo=None)])  # noqa: DTZ001 - that is the mistake
def test_a_time_without_a_zone_is_refused(wrong: datetime) -> None:
    with pytest.raises(ValueError, match="zone"):
        deadline(MAIN, wrong, 1)
    with pytest.raises(ValueError, match="negative"):
        deadline(MAIN, at("2026-11-25 09:00"), -1)


INSTANTS = st.datetimes(
    min_value=datetime(2026, 1, 1),  # noqa: DTZ001 - gets its zone from the strategy
    max_value=datetime(2026, 11, 30),  # noqa: DTZ001
    timezones=st.sampled_from([ZONE, UTC, ZoneInfo("America/New_York")]),
).filter(lambda at: at.astimezone(ZONE).year == 2026)
MINUTES = st.integers(min_value=0, max_value=10 * DAY)
CALENDARS = st.sampled_from([MAIN, NANSHA, EMERGENCY])


def worked(calendar: WorkingCalendar, instant: datetime) -> bool:
    local = instant.astimezone(calendar.zone)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    minute = (local - midnight) / timedelta(minutes=1)
    return any(opens <= minute <= closes for opens, closes in calendar.spans(local.date()))


@given(CALENDARS, INSTANTS, MINUTES, MINUTES)
def test_deadlines_add_up(calendar: WorkingCalendar, start: datetime, one: int, two: int) -> None:
    one, two = one // 2, two // 2
    assert deadline(calendar, deadline(calendar, start, one), two) == deadline(calendar, start, one + two)


@given(CALENDARS, INSTANTS, MINUTES)
def test_a_deadline_is_in_working_time_with_what_was_given_before_it(
    calendar: WorkingCalendar, start: datetime, minutes: int
) -> None:
    due = deadline(calendar, start, minutes)
    assert due >= start
    assert worked(calendar, due)
    assert working_between(calendar, start, due) == timedelta(minutes=minutes)


@given(CALENDARS, INSTANTS, INSTANTS, MINUTES)
def test_who_begins_later_is_never_due_earlier(
    calendar: WorkingCalendar, one: datetime, two: datetime, minutes: int
) -> None:
    earlier, later = sorted((one, two))
    assert deadline(calendar, earlier, minutes) <= deadline(calendar, later, minutes)
    assert deadline(calendar, earlier, minutes) <= deadline(calendar, earlier, minutes + 1)


@given(CALENDARS, st.lists(INSTANTS, min_size=3, max_size=3))
def test_working_time_adds_up(calendar: WorkingCalendar, instants: list[datetime]) -> None:
    a, b, c = sorted(instants)
    assert working_between(calendar, a, b) + working_between(calendar, b, c) == working_between(
        calendar, a, c
    )
    assert timedelta() <= working_between(calendar, a, c) <= c.astimezone(UTC) - a.astimezone(UTC)
    assert working_between(calendar, c, a) == timedelta()
