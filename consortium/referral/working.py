"""The deadlines of referrals in the working time of the hospital that owes the step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from consortium.referral.deadlines import End
from consortium.scheduling import UnknownYearError, deadline, provisional_years
from consortium.scheduling.calendar_file import CalendarFile


@dataclass(frozen=True, slots=True)
class WorkingTime:
    """`consortium.referral.deadlines.Calendar` by the reviewed calendar.

    A referral does not wait for the State Council: into a year without official days it reckons with those of
    the law, and into one that the file does not have with weekdays alone. Both are told to be provisional.
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
