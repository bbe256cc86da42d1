"""How long a deadline runs, in the working time of the hospital that owes the step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from consortium.scheduling.calendar_file import CalendarFile
from consortium.scheduling.working_time import UnknownYearError, deadline, provisional_years


class End(NamedTuple):
    """When so many working minutes are over."""

    at: datetime
    """With its zone."""
    provisional: bool = False
    """Reckoned into a year whose days off are not official yet."""


class Calendar(Protocol):
    """Working time of an organisation."""

    def deadline(self, facility: str, start: datetime, minutes: int) -> End:
        """Return the end of so many working minutes after `start`."""


class PlainCalendar:
    """Every minute is working time: for tests, and for emergencies."""

    def deadline(self, facility: str, start: datetime, minutes: int) -> End:
        """Add the minutes."""
        del facility
        return End(start + timedelta(minutes=minutes))


@dataclass(frozen=True, slots=True)
class WorkingTime:
    """`Calendar` by the reviewed calendar.

    A step does not wait for the State Council: into a year without official days it reckons with those of the
    law, and into one that the file does not have with weekdays alone. Both are told to be provisional.
    """

    file: CalendarFile

    def deadline(self, facility: str, start: datetime, minutes: int) -> End:
        """Return the end of so many working minutes, and whether it is provisional."""
        calendar = self.file.calendar(facility, provisional=True)
        while True:
            try:
                end = deadline(calendar, start, minutes)
            except UnknownYearError as unknown:
                calendar = replace(calendar, years={**calendar.years, unknown.year: False})
            else:
                return End(end, bool(provisional_years(calendar, start, end)))
