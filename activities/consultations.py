"""The side effects of the workflow of consultations: the projection with slots, room, notices and audit.

Each is one transaction. A step that is tried again finds what it wrote and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine
from temporalio import activity

from activities.stepping import transaction
from bus.rules.versions.calendars import Calendars
from consortium.notifications import queue
from consortium.teleconsult import recording
from consortium.teleconsult.recording import Order, Recorded
from workflows.teleconsult import steps
from workflows.teleconsult.model import Recording, Reminding, Stand


class Consultations:
    """The activities, over one pool of connections."""

    def __init__(self, engine: Engine, calendars: Calendars) -> None:
        """Work through that engine; `calendars` know working time."""
        self._engine = engine
        self._calendars = calendars

    @property
    def activities(self) -> tuple[Callable[..., Any], ...]:
        """What a worker offers."""
        return self.record, self.remind

    @activity.defn(name=steps.RECORD)
    def record(self, order: Recording) -> Stand:
        """Record a step; refused where the records do not hold what it needs, or the time is taken."""
        with transaction(self._engine) as connection:
            wanted = Order(
                consultation_id=order.consultation_id,
                key=order.key,
                step=order.step,
                party=order.party,
                username=order.user,
                details=order.details,
                at=order.at,
            )
            return stand(recording.record(connection, wanted, self._calendars(connection), queue.ask))

    @activity.defn(name=steps.REMIND)
    def remind(self, order: Reminding) -> Stand:
        """Remind whoever owes the next step."""
        with transaction(self._engine) as connection:
            return stand(recording.remind(connection, order.consultation_id, order.number, queue.ask))


def stand(recorded: Recorded) -> Stand:
    """Return how a consultation stands, as its workflow knows it."""
    return Stand(
        standing=recorded.standing,
        number=recorded.number,
        owner_facility=recorded.owner_facility,
        remind_at=recorded.remind_at,
        deadline_at=recorded.deadline_at,
        level=recorded.level,
    )
