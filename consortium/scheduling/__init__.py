"""Scheduling: working time and deadlines, who acts for whom, and slots that are never booked twice."""

from consortium.scheduling.working_time import (
    UnknownYearError,
    WorkingCalendar,
    deadline,
    provisional_years,
    working_between,
)

__all__ = ["UnknownYearError", "WorkingCalendar", "deadline", "provisional_years", "working_between"]
