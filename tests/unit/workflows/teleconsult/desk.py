"""A desk in memory: the activities of a consultation's workflow over a dictionary instead of PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from temporalio import activity
from temporalio.exceptions import ApplicationError

from consortium.scheduling.hours import PlainCalendar
from consortium.teleconsult.deadlines import due
from consortium.teleconsult.decide import Refusal, decide
from consortium.teleconsult.details import RECORDED
from consortium.teleconsult.model import Need, Step
from workflows.teleconsult import steps
from workflows.teleconsult.model import Recording, Reminding, Stand

AHEAD = timedelta(days=3)
"""From holding a time until it begins."""


@dataclass
class Desk:
    """What is recorded, and who was reminded; the twin of `activities.consultations`."""

    stands: dict[UUID, Stand] = field(default_factory=dict)
    orders: list[Recording] = field(default_factory=list)
    reminded: list[int] = field(default_factory=list)
    begins: datetime | None = None
    there: frozenset[Need] = RECORDED | {Need.OPINION}
    """What the records hold."""
    recorded: threading.Event = field(default_factory=threading.Event)
    """Set with each step."""

    @property
    def activities(self) -> list[Callable[..., Any]]:
        """The activities to give to a worker."""
        return [self.record, self.remind]

    @property
    def taken(self) -> list[Step]:
        """The steps recorded, in order."""
        return [order.step for order in self.orders]

    @activity.defn(name=steps.RECORD)
    async def record(self, order: Recording) -> Stand:
        """Record a step, once by its key."""
        now = self.stands[order.consultation_id]
        if any(order.key == known.key for known in self.orders):
            return now
        answer = decide(now.standing, order.step, order.party, order.details.has() | self.there)
        if isinstance(answer, Refusal):
            said: tuple[Any, ...] = (answer.why.en, answer.why.zh, now.standing.state.value, [], answer.code)
            raise ApplicationError(*said, type="Refused", non_retryable=True)
        self.orders.append(order)
        if order.step in (Step.SCHEDULE, Step.RESCHEDULE):
            self.begins = order.at + AHEAD
        changed: dict[str, Any] = {"standing": answer.after, "number": now.number + 1}
        escalated = order.step is Step.ESCALATE
        if answer.line.to != "stays" or escalated:
            place = answer.after.place
            kind = place.deadline
            ends = kind and due(PlainCalendar(), kind, "routine", "HP", order.at, self.begins)
            changed |= {
                "remind_at": ends and ends.remind_at,
                "deadline_at": ends and ends.at,
                "level": now.level + 1 if escalated else 0,
                "owner_facility": place.owner and place.owner.side.value,
            }
        self.stands[order.consultation_id] = now.model_copy(update=changed)
        self.recorded.set()
        return self.stands[order.consultation_id]

    @activity.defn(name=steps.REMIND)
    async def remind(self, order: Reminding) -> Stand:
        """Remind."""
        self.reminded.append(order.number)
        return self.stands[order.consultation_id]
