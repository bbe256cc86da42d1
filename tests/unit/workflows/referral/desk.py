"""A desk in memory: the activities of the referral workflow over a dictionary instead of PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from temporalio import activity
from temporalio.exceptions import ApplicationError

from consortium.referral.deadlines import due
from consortium.referral.decide import Refusal, decide
from consortium.referral.details import RECORDED
from consortium.referral.model import Need, Step
from consortium.scheduling.hours import PlainCalendar
from workflows.referral import steps
from workflows.referral.model import Recording, Reminding, Stand


@dataclass
class Desk:
    """What is recorded, and who was reminded; the twin of `activities.referrals`."""

    stands: dict[UUID, Stand] = field(default_factory=dict)
    orders: list[Recording] = field(default_factory=list)
    reminded: list[int] = field(default_factory=list)
    followed_up: list[int] = field(default_factory=list)
    there: frozenset[Need] = RECORDED
    """What the records hold."""
    recorded: threading.Event = field(default_factory=threading.Event)
    """Set with each step."""

    @property
    def activities(self) -> list[Callable[..., Any]]:
        """The activities to give to a worker."""
        return [self.record, self.remind, self.follow_up]

    @property
    def taken(self) -> list[Step]:
        """The steps recorded, in order."""
        return [order.step for order in self.orders]

    @activity.defn(name=steps.RECORD)
    async def record(self, order: Recording) -> Stand:
        """Record a step, once by its key."""
        now = self.stands.get(order.referral_id, Stand())
        if any(order.key == known.key for known in self.orders):
            return now
        answer = decide(now.standing, order.step, order.party, order.details.has() | self.there)
        if isinstance(answer, Refusal):
            raise ApplicationError(
                answer.why.en,
                answer.why.zh,
                now.standing.state.value,
                [],
                answer.code,
                type="Refused",
                non_retryable=True,
            )
        self.orders.append(order)
        place = answer.after.place
        escalated = order.step is Step.ESCALATE
        changed: dict[str, Any] = {"standing": answer.after, "number": now.number + 1}
        if answer.line.to != "stays" or escalated:
            end = order.details.slot_end
            ends = (
                due(PlainCalendar(), place.deadline, "routine", "HP", order.at, end)
                if place.deadline
                else None
            )
            changed |= {
                "remind_at": ends and ends.remind_at,
                "deadline_at": ends and ends.at,
                "level": now.level + 1 if escalated else 0,
                "owner_facility": place.owner and place.owner.side.value,
            }
        if order.step in (Step.CLOSE, Step.REOPEN):
            changed["follow_up_at"] = order.details.follow_up_at
        self.stands[order.referral_id] = now.model_copy(update=changed)
        self.recorded.set()
        return self.stands[order.referral_id]

    @activity.defn(name=steps.REMIND)
    async def remind(self, order: Reminding) -> Stand:
        """Remind."""
        self.reminded.append(order.number)
        return self.stands.get(order.referral_id, Stand())

    @activity.defn(name=steps.FOLLOW_UP)
    async def follow_up(self, order: Reminding) -> Stand:
        """Follow up, once."""
        now = self.stands[order.referral_id]
        if now.number == order.number and now.follow_up_at is not None:
            self.followed_up.append(order.number)
            self.stands[order.referral_id] = now.model_copy(update={"follow_up_at": None})
        return self.stands[order.referral_id]
