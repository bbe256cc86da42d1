"""Dates and times as hospitals write them."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.rules.dates import SHANGHAI, ImpossibleDateError, parse_date, parse_datetime

OFFSETS = st.integers(-12 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(min_value=datetime(1900, 1, 1), timezones=OFFSETS))  # noqa: DTZ001 - Hypothesis adds the zone
def test_a_time_with_a_zone_comes_back_as_it_was(at: datetime) -> None:
    assert parse_datetime(at.strftime("%Y%m%d%H%M%S.%f%z")) == at
    assert parse_datetime(at.isoformat()) == at


@given(st.dates(min_value=date(1000, 1, 1)))
def test_a_day_comes_back_as_it_was(day: date) -> None:
    assert parse_date(day.strftime("%Y%m%d").zfill(8)) == day
    assert parse_date(day.isoformat()) == day


def test_a_time_without_a_zone_is_shanghais() -> None:
    assert parse_datetime("20261120083000") == datetime(2026, 11, 20, 8, 30, tzinfo=SHANGHAI)
    assert parse_datetime("202611200830").utcoffset() == timedelta(hours=8)


def test_a_time_in_summer_of_1988_is_an_hour_ahead() -> None:
    assert parse_datetime("19880701120000").utcoffset() == timedelta(hours=9)


@pytest.mark.parametrize(
    "text",
    [
        "20260230",
        "20261301",
        "2026",
        "202601",
        "00000000",
        "20260101X",
        "王",
        "2026-1-1",
        "20260101+2500",
        "",
    ],
)
def test_what_is_no_whole_day_is_refused_without_quoting_it(text: str) -> None:
    with pytest.raises(ImpossibleDateError) as caught:
        parse_datetime(text)
    assert not text or text not in str(caught.value)


def test_an_hour_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ImpossibleDateError):
        parse_datetime("20260101250000")
