"""FHIR search dates: a prefix and a date that may be cut short (R4 section 3.1.1.4.8)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from api.fhir.wrong import wrong_value
from bus.fhir.shapes import LOCAL

_FORM = re.compile(
    r"(?P<prefix>[a-z]{2})?(?P<year>\d{4})(?:-(?P<month>\d\d)(?:-(?P<day>\d\d)"
    r"(?:T(?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.\d+)?)?(?P<zone>Z|[+-]\d\d:\d\d)?)?)?)?"
)


@dataclass(frozen=True, slots=True)
class Span:
    """From `since`, inclusive, to `before`, exclusive; None is without end."""

    since: datetime | None
    before: datetime | None

    def within(self, other: Span) -> Span:
        """Return what lies in both."""
        since = [time for time in (self.since, other.since) if time]
        before = [time for time in (self.before, other.before) if time]
        return Span(max(since, default=None), min(before, default=None))


ALWAYS = Span(None, None)


def span(name: str, text: str) -> Span:
    """Return the times a search value asks for; without a zone it means the hospitals' time.

    Raises FailureError (400) for what is no date, and for prefixes that are not served (ne, ap).
    """
    form = _FORM.fullmatch(text)
    if form is None:
        raise wrong_value(
            name, "give YYYY, YYYY-MM, YYYY-MM-DD or a time, with a prefix such as ge before it"
        )
    try:
        first, after = _extent(form)
    except (ValueError, OverflowError):
        raise wrong_value(name, "there is no such date") from None
    spans = {
        "eq": Span(first, after),
        "ge": Span(first, None),
        "gt": Span(after, None),
        "sa": Span(after, None),
        "lt": Span(None, first),
        "eb": Span(None, first),
        "le": Span(None, after),
    }
    found = spans.get(form["prefix"] or "eq")
    if found is None:
        raise wrong_value(name, f"the prefixes served are {', '.join(spans)}")
    return found


def _extent(form: re.Match[str]) -> tuple[datetime, datetime]:
    year, month, day = int(form["year"]), int(form["month"] or 1), int(form["day"] or 1)
    if form["hour"] is None:
        first = datetime(year, month, day, tzinfo=LOCAL)
        return first, _next(first, "day" if form["day"] else "month" if form["month"] else "year")
    zone = datetime.fromisoformat(f"2000-01-01T00:00{form['zone']}").tzinfo if form["zone"] else LOCAL
    hour, minute, second = int(form["hour"]), int(form["minute"]), int(form["second"] or 0)
    first = datetime(year, month, day, hour, minute, second, tzinfo=zone)
    return first, first + timedelta(seconds=1 if form["second"] else 60)


def _next(first: datetime, step: str) -> datetime:
    if step == "day":
        return first + timedelta(days=1)
    if step == "month" and first.month < 12:
        return first.replace(month=first.month + 1)
    return first.replace(year=first.year + 1, month=1)


def days(found: Span) -> tuple[date | None, date | None]:
    """Return a span as days of the hospitals' calendar."""
    return (
        found.since.astimezone(LOCAL).date() if found.since else None,
        found.before.astimezone(LOCAL).date() if found.before else None,
    )
