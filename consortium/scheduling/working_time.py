"""Working time: when a deadline falls that is given in working minutes. Pure, and exact to the microsecond.

Working time is a set of closed spans: the instant of closing still belongs to it. Reckoning is by instants,
so a change of the zone's offset neither adds nor takes away a minute.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from consortium.errors import PermanentError

DAY_MINUTES = 24 * 60
ONE_DAY = timedelta(days=1)

Span = tuple[int, int]
"""From and to, in minutes of the local day; to at most 1440."""
Interval = tuple[datetime, datetime]
"""From and to, in UTC."""


class UnknownYearError(PermanentError):
    """The calendar does not say which days of a year are worked, so nothing may be reckoned by it."""

    code = "unknown_calendar_year"

    def __init__(self, calendar: str, year: int, *, provisional: bool) -> None:
        """`provisional`: whether the file has the year, though not the State Council's days."""
        self.calendar = calendar
        self.year = year
        self.provisional = provisional
        has = "has only provisional days of" if provisional else "does not have"
        super().__init__(
            f"the calendar {calendar} {has} {year}: enter the State Council's days of {year} in"
            f" rules/calendars/{calendar}.yaml, or ask for a provisional deadline and tell that it is one",
            zh=f"工作日历 {calendar} 没有 {year} 年的正式安排：请将国务院办公厅的 {year} 年节假日安排录入"
            f" rules/calendars/{calendar}.yaml，或明确按暂定日历计算并注明",
        )


@dataclass(frozen=True, slots=True)
class WorkingCalendar:
    """When an organisation works."""

    name: str
    zone: ZoneInfo
    weekly: tuple[tuple[Span, ...], ...]
    """Of Monday to Sunday; sorted, apart."""
    make_up: tuple[Span, ...] = ()
    """Of a make-up working day (调休上班)."""
    holidays: frozenset[date] = frozenset()
    make_up_days: frozenset[date] = frozenset()
    years: Mapping[int, bool] = field(default_factory=dict)
    """The years it knows; True: their days are official, False: provisional."""
    accepts_provisional: bool = False
    around_the_clock: bool = False
    """Emergencies: every minute of every day, so no year needs to be known."""

    def spans(self, day: date) -> tuple[Span, ...]:
        """Return the working spans of a local day. Raises UnknownYearError."""
        if self.around_the_clock:
            return ((0, DAY_MINUTES),)
        official = self.years.get(day.year)
        if official is None or not (official or self.accepts_provisional):
            raise UnknownYearError(self.name, day.year, provisional=official is not None)
        if day in self.make_up_days:
            return self.make_up
        return () if day in self.holidays else self.weekly[day.weekday()]

    def works_on(self, day: date) -> bool:
        """Tell whether a local day is worked on at all. Raises UnknownYearError."""
        return bool(self.spans(day))

    def intervals(self, since: datetime, until: datetime | None = None) -> Iterator[Interval]:
        """Give what is worked from an instant on, to the end of another's day, or without end.

        Raises UnknownYearError at the first day that it does not know.
        """
        day = since.astimezone(self.zone).date()
        last = date.max if until is None else until.astimezone(self.zone).date()
        while day <= last:
            for opens, closes in self.spans(day):
                opening, closing = self._instant(day, opens), self._instant(day, closes)
                if closing >= since:
                    yield max(opening, since), closing
            day += ONE_DAY

    def _instant(self, day: date, minute: int) -> datetime:
        if minute == DAY_MINUTES:
            day, minute = day + ONE_DAY, 0
        local = datetime(day.year, day.month, day.day, minute // 60, minute % 60, tzinfo=self.zone)
        return local.astimezone(UTC)


def deadline(calendar: WorkingCalendar, start: datetime, minutes: int) -> datetime:
    """Return the first instant of working time at which `minutes` of it have passed since `start`.

    With 0 minutes: `start` itself where that is working time, else when work begins next. In the calendar's
    zone. Raises UnknownYearError, and ValueError for a time without zone or negative minutes.
    """
    if minutes < 0:
        raise ValueError("a deadline lies ahead: minutes must not be negative")
    left = timedelta(minutes=minutes)
    for opening, closing in calendar.intervals(_utc(start)):
        if left <= closing - opening:
            return (opening + left).astimezone(calendar.zone)
        left -= closing - opening
    raise AssertionError("intervals have no end")


def working_between(calendar: WorkingCalendar, start: datetime, end: datetime) -> timedelta:
    """Return how much working time lies between two instants; nothing where `end` is not later.

    Raises UnknownYearError, and ValueError for a time without zone.
    """
    since, until, total = _utc(start), _utc(end), timedelta()
    if until <= since:
        return total
    for opening, closing in calendar.intervals(since, until):
        total += max(min(closing, until) - opening, timedelta())
    return total


def provisional_years(calendar: WorkingCalendar, start: datetime, end: datetime) -> tuple[int, ...]:
    """Return the years between two instants of which the calendar has only provisional days.

    What was reckoned across them is told to be provisional, and is reckoned again when they are official.
    """
    if calendar.around_the_clock:
        return ()
    first, last = (at.astimezone(calendar.zone).year for at in (_utc(start), _utc(end)))
    return tuple(year for year in range(first, last + 1) if calendar.years.get(year) is False)


def _utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("a time without a zone is no instant; give it one")
    return at.astimezone(UTC)
