"""FHIR search dates become spans of time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.failures import FailureError
from api.fhir.dates import ALWAYS, Span, days, span
from bus.fhir.shapes import LOCAL

DAY = datetime(2026, 11, 20, tzinfo=LOCAL)


@pytest.mark.parametrize(
    ("text", "since", "before"),
    [
        ("2026", datetime(2026, 1, 1, tzinfo=LOCAL), datetime(2027, 1, 1, tzinfo=LOCAL)),
        ("2026-11", datetime(2026, 11, 1, tzinfo=LOCAL), datetime(2026, 12, 1, tzinfo=LOCAL)),
        ("2026-12", datetime(2026, 12, 1, tzinfo=LOCAL), datetime(2027, 1, 1, tzinfo=LOCAL)),
        ("2026-11-20", DAY, DAY + timedelta(days=1)),
        ("eq2026-11-20", DAY, DAY + timedelta(days=1)),
        ("2026-11-20T00:00", DAY, DAY + timedelta(minutes=1)),
        ("2026-11-20T00:00:00", DAY, DAY + timedelta(seconds=1)),
        ("2026-11-20T00:00:00.5+08:00", DAY, DAY + timedelta(seconds=1)),
        ("2026-11-19T16:00:00Z", DAY, DAY + timedelta(seconds=1)),
        ("ge2026-11-20", DAY, None),
        ("gt2026-11-20", DAY + timedelta(days=1), None),
        ("sa2026-11-20", DAY + timedelta(days=1), None),
        ("lt2026-11-20", None, DAY),
        ("eb2026-11-20", None, DAY),
        ("le2026-11-20", None, DAY + timedelta(days=1)),
    ],
)
def test_a_date_means(text: str, since: datetime | None, before: datetime | None) -> None:
    assert span("date", text) == Span(since, before)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026-13",
        "2026-02-30",
        "20261120",
        "ne2026",
        "ap2026",
        "xx2026",
        "2026-11-20T25:00",
        "9999",
    ],
)
def test_what_is_no_date_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(FailureError) as refused:
        span("date", text)
    assert refused.value.failure.status == 400
    assert not text or text not in str(refused.value.failure.errors)


@given(st.timedeltas(timedelta(0), timedelta(days=36_500)))
def test_a_second_holds_the_time_that_it_was_written_from(later: timedelta) -> None:
    time = datetime(1950, 1, 1, tzinfo=UTC) + later
    found = span("date", time.isoformat(timespec="microseconds").replace("+00:00", "Z"))
    assert found.since is not None
    assert found.before is not None
    assert found.since <= time < found.before


@given(st.dates(date(1900, 1, 1), date(2200, 1, 1)))
def test_the_prefixes_part_all_time_at_a_day(day: date) -> None:
    text = day.isoformat()
    before, on, after = (span("date", prefix + text) for prefix in ("lt", "eq", "gt"))
    assert (before.before, on.before) == (on.since, after.since)
    assert days(on) == (day, day + timedelta(days=1))


def test_two_spans_leave_what_lies_in_both() -> None:
    found = span("date", "ge2026-11").within(span("date", "lt2026-12"))
    assert found == span("date", "2026-11")
    assert ALWAYS.within(found) == found
