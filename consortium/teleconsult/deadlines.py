"""How long each deadline is, when it is reminded of, and what comes of it when nobody acts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from consortium.scheduling.hours import Calendar, PlainCalendar
from consortium.teleconsult.model import Deadline, Step, Urgency

LEVELS = 2
"""How often a deadline is escalated before the consultation lapses."""
LATE = timedelta(minutes=30)
"""After the beginning of a booked time, until it counts as not having taken place."""
REHEARSAL = timedelta(days=1)
"""Before a booked time, when everybody is reminded, and tries their camera."""
_DAY = 8 * 60
"""Working minutes of a day."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One kind of deadline, in working minutes; urgent ones run day and night."""

    routine: int
    urgent: int
    lapse: Step | None
    """The system's step after the last escalation; None: escalated again and again."""

    def minutes(self, urgency: Urgency) -> int:
        """Return how long it is."""
        return self.urgent if urgency == "urgent" else self.routine


LIMITS: Mapping[Deadline, Limit] = {
    Deadline.DRAFT: Limit(5 * _DAY, 240, Step.EXPIRE),
    Deadline.TRIAGE: Limit(_DAY, 15, Step.EXPIRE),
    Deadline.INFORMATION: Limit(3 * _DAY, 60, Step.EXPIRE),
    Deadline.SCHEDULING: Limit(3 * _DAY, 15, Step.EXPIRE),
    Deadline.CONFIRMATION: Limit(_DAY, 15, Step.EXPIRE),
    Deadline.ATTENDANCE: Limit(_DAY, 60, Step.MISS),
    Deadline.SESSION: Limit(240, 240, Step.END_SESSION),
    Deadline.OPINION: Limit(_DAY, 60, None),
    Deadline.CLOSING: Limit(5 * _DAY, 5 * 1440, Step.CLOSE),
}
AT_ONCE = frozenset({Deadline.ATTENDANCE, Deadline.SESSION})
"""Their time has passed: nobody can still do what was owed, so nothing is escalated first."""


@dataclass(frozen=True, slots=True)
class Due:
    """When somebody is reminded, and when it is over."""

    remind_at: datetime
    at: datetime


def due(
    calendar: Calendar,
    kind: Deadline,
    urgency: Urgency,
    facility: str,
    now: datetime,
    starts_at: datetime | None,
) -> Due:
    """Return when a deadline of that kind, begun now, is over; what was booked goes by its beginning."""
    if kind is Deadline.ATTENDANCE and starts_at is not None:
        ends = max(now, starts_at) + LATE
        return Due(max(now, starts_at - REHEARSAL), ends)
    running = PlainCalendar() if urgency == "urgent" else calendar
    minutes = LIMITS[kind].minutes(urgency)
    half = running.deadline(facility, now, minutes // 2)
    return Due(half.at, running.deadline(facility, now, minutes).at)


def lapse(kind: Deadline, level: int) -> Step:
    """Return the system's step at the end of a deadline that was escalated so often."""
    step = LIMITS[kind].lapse
    return step if step is not None and (level >= LEVELS or kind in AT_ONCE) else Step.ESCALATE
