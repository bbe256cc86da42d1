"""A ward in memory: the activities of the critical value workflow over dictionaries instead of PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from temporalio import activity
from temporalio.exceptions import ApplicationError

from workflows.critical_value import steps
from workflows.critical_value.model import Acknowledged, Acknowledging, Notice, Standing, State


@dataclass
class Ward:
    """Who was told, and what is recorded; the twin of `activities.critical_values`."""

    states: dict[UUID, State] = field(default_factory=dict)
    told: list[tuple[str, int]] = field(default_factory=list)
    acknowledgements: list[Acknowledging] = field(default_factory=list)

    @property
    def activities(self) -> list[Callable[..., Any]]:
        """The activities to give to a worker."""
        return [self.notify, self.escalate, self.acknowledge, self.tell_withdrawn]

    def _stand(self, notice: Notice, state: State) -> Standing:
        known = self.states.get(notice.critical_value_id, "open")
        if known in ("acknowledged", "withdrawn"):
            return Standing(critical_value_id=notice.critical_value_id, state=known)
        self.states[notice.critical_value_id] = state
        self.told.append((notice.duty, notice.level))
        return Standing(critical_value_id=notice.critical_value_id, state=state)

    @activity.defn(name=steps.NOTIFY)
    async def notify(self, notice: Notice) -> Standing:
        """Tell the first."""
        return self._stand(notice, "notified")

    @activity.defn(name=steps.ESCALATE)
    async def escalate(self, notice: Notice) -> Standing:
        """Tell the next."""
        return self._stand(notice, "escalated")

    @activity.defn(name=steps.ACKNOWLEDGE)
    async def acknowledge(self, order: Acknowledging) -> Acknowledged:
        """Take note."""
        if self.states.get(order.critical_value_id) == "withdrawn":
            raise ApplicationError("already withdrawn", type="Conflict", non_retryable=True)
        self.states[order.critical_value_id] = "acknowledged"
        self.acknowledgements.append(order)
        return Acknowledged(
            critical_value_id=order.critical_value_id,
            user=order.user,
            at=datetime(2026, 11, 23, 8, tzinfo=UTC),
        )

    @activity.defn(name=steps.TELL_WITHDRAWN)
    async def tell_withdrawn(self, notice: Notice) -> Standing:
        """Tell everybody told."""
        self.told.append(("withdrawn", notice.level))
        return Standing(critical_value_id=notice.critical_value_id, state="withdrawn")
