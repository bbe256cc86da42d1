"""The deadlines of consultations in the working time of the hospital that owes the step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from consortium.scheduling import UnknownYearError, deadline
from consortium.scheduling.calendar_file import load


class Hours(Protocol):
    """Working time of an organisation."""

    def ends(self, facility: str, start: datetime, minutes: int) -> datetime:
        """Return the end of so many working minutes after `start`, with its zone."""
        ...


class Always:
    """Every minute is working time: for tests, and for what is urgent."""

    def ends(self, facility: str, start: datetime, minutes: int) -> datetime:
        """Add the minutes."""
        del facility
        return start + timedelta(minutes=minutes)


@dataclass(frozen=True, slots=True)
class WorkingHours:
    """Those of the reviewed calendar in a folder of rules.

    A consultation does not wait for the State Council: into a year that the file has no official days of it
    reckons with those of the law, or with weekdays alone.
    """

    rules_dir: Path

    def ends(self, facility: str, start: datetime, minutes: int) -> datetime:
        """Return the end of so many working minutes. Raises CalendarFileError."""
        calendar = load(self.rules_dir).calendar(facility, provisional=True)
        while True:
            try:
                return deadline(calendar, start, minutes)
            except UnknownYearError as unknown:
                calendar = replace(calendar, years={**calendar.years, unknown.year: False})
