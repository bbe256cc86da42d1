"""Dates and times as hospitals write them: HL7 TS/DTM (v2.5 2.A.77) and ISO 8601."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone
from functools import lru_cache
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")
"""The zone of a time that names none."""
PATTERN = re.compile(
    r"(?P<year>\d{4})[-/]?(?P<month>\d{2})[-/]?(?P<day>\d{2})"
    r"(?:[T ]?(?P<hour>\d{2})(?::?(?P<minute>\d{2})(?::?(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?)?)?"
    r"\s*(?P<zone>Z|[+-]\d{2}:?\d{2}|[+-]\d{2})?",
    re.ASCII,
)


class ImpossibleDateError(ValueError):
    """Not a date, not a whole one, or not in the calendar. The text does not quote the value."""


def parse_date(text: str) -> date:
    """Return the day; a time after it is left away. Raises `ImpossibleDateError`."""
    return _day(_match(text))


@lru_cache(maxsize=4096)  # the twenty results of a report have one time
def parse_datetime(text: str, zone: ZoneInfo = SHANGHAI) -> datetime:
    """Return the time with its zone, `zone` where it names none. Raises `ImpossibleDateError`."""
    parts = _match(text)
    day = _day(parts)
    hour, minute, second = (int(parts[name] or 0) for name in ("hour", "minute", "second"))
    micro = int((parts["fraction"] or "0").ljust(6, "0")[:6])
    try:
        return datetime(
            day.year, day.month, day.day, hour, minute, second, micro, tzinfo=_zone(parts["zone"]) or zone
        )
    except ValueError as error:
        raise ImpossibleDateError("an hour, minute or second that does not exist") from error


def _match(text: str) -> re.Match[str]:
    match = PATTERN.fullmatch(text.strip())
    if match is None:
        raise ImpossibleDateError("not a whole date written YYYYMMDD or YYYY-MM-DD")
    return match


def _day(parts: re.Match[str]) -> date:
    try:
        return date(int(parts["year"]), int(parts["month"]), int(parts["day"]))
    except ValueError as error:
        raise ImpossibleDateError("a day that the calendar does not have") from error


def _zone(text: str | None) -> timezone | None:
    if text is None:
        return None
    if text == "Z":
        return UTC
    digits = text[1:].replace(":", "").ljust(4, "0")
    hours, minutes = int(digits[:2]), int(digits[2:])
    if hours > 14 or minutes > 59:
        raise ImpossibleDateError("a time zone that does not exist")
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if text[0] == "-" else offset)
