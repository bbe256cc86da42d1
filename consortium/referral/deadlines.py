"""How long each deadline is, when it is reminded of, and what comes of it when nobody acts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from consortium.referral.model import Kind, Step, Urgency
from consortium.scheduling.hours import Calendar, PlainCalendar

LEVELS = 2
"""How often a deadline is escalated before the referral lapses."""
LATE = timedelta(hours=2)
"""After the end of a booked time, until the patient counts as not come."""
_DAY = 8 * 60
"""Working minutes of a day."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One kind of deadline, in working minutes; those of an emergency (绿色通道) run day and night."""

    routine: int
    urgent: int
    emergency: int
    lapse: Step | None
    """The system's step after the last escalation; None: escalated again and again."""

    def minutes(self, urgency: Urgency) -> int:
        """Return how long it is."""
        return {"routine": self.routine, "urgent": self.urgent, "emergency": self.emergency}[urgency]


LIMITS: Mapping[Kind, Limit] = {
    Kind.DRAFT: Limit(5 * _DAY, 2 * _DAY, 240, Step.EXPIRE),
    Kind.RECEIPT: Limit(_DAY, 120, 10, Step.EXPIRE),
    Kind.REVIEW: Limit(2 * _DAY, 240, 20, Step.EXPIRE),
    Kind.INFORMATION: Limit(3 * _DAY, _DAY, 60, Step.EXPIRE),
    Kind.SLOT: Limit(5 * _DAY, 2 * _DAY, 60, Step.EXPIRE),
    Kind.ATTENDANCE: Limit(_DAY, _DAY, 120, Step.MISS),
    Kind.ADMISSION: Limit(_DAY, 240, 30, None),
    Kind.REPORT: Limit(10 * _DAY, 5 * _DAY, 3 * 1440, None),
    Kind.ACKNOWLEDGEMENT: Limit(5 * _DAY, 3 * _DAY, 1440, Step.CLOSE),
    Kind.CANCELLATION: Limit(2 * _DAY, _DAY, 60, Step.CONFIRM_CANCEL),
}


@dataclass(frozen=True, slots=True)
class Due:
    """When somebody is reminded, and when it is over."""

    remind_at: datetime
    at: datetime
    provisional: bool = False
    """The calendar of that year is not official yet."""


def due(
    calendar: Calendar, kind: Kind, urgency: Urgency, facility: str, now: datetime, slot_end: datetime | None
) -> Due:
    """Return when a deadline of that kind, begun now, is over; attendance goes by the booked time."""
    if kind is Kind.ATTENDANCE and slot_end is not None and slot_end > now:
        return Due(max(now, slot_end - timedelta(days=1)), slot_end + LATE)
    hours = PlainCalendar() if urgency == "emergency" else calendar
    minutes = LIMITS[kind].minutes(urgency)
    end = hours.deadline(facility, now, minutes)
    return Due(hours.deadline(facility, now, minutes // 2).at, end.at, end.provisional)


def lapse(kind: Kind, level: int) -> Step:
    """Return the system's step at the end of a deadline that was escalated so often."""
    step = LIMITS[kind].lapse
    if kind is Kind.ATTENDANCE and step is not None:
        return step  # the time has passed: nobody can still do what was owed
    return step if step is not None and level >= LEVELS else Step.ESCALATE
