"""The side effects of the referral workflow: the projection with its notices and audit.

Each is one transaction. A step that is tried again finds what it wrote and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, Engine
from temporalio import activity

from activities import outbox
from activities.stepping import transaction
from bus.rules.versions.calendars import Calendars
from consortium.referral import recording, store
from consortium.referral.notices import Tell
from consortium.referral.recording import Order, Recorded
from consortium.referral.telling import Telling
from workflows.referral import steps
from workflows.referral.model import Recording, Reminding, Stand, Start


class Referrals:
    """The activities, over one pool of connections."""

    def __init__(self, engine: Engine, calendars: Calendars, tell: Tell | None = None) -> None:
        """Work through that engine; `calendars` know working time, `tell` writes notices."""
        self._engine = engine
        self._calendars = calendars
        self._tell = tell or Telling()

    @property
    def activities(self) -> tuple[Callable[..., Any], ...]:
        """What a worker offers."""
        return self.record, self.remind, self.follow_up

    @activity.defn(name=steps.RECORD)
    def record(self, order: Recording) -> Stand:
        """Record a step; refused where the records do not hold what it needs."""
        with transaction(self._engine) as connection:
            wanted = Order(
                referral_id=order.referral_id,
                key=order.key,
                step=order.step,
                party=order.party,
                username=order.user,
                details=order.details,
                at=order.at,
            )
            done = recording.record(connection, wanted, self._calendars(connection), self._tell)
            if done.child is not None:
                begin(connection, store.get(connection, done.child))
            return stand(done)

    @activity.defn(name=steps.REMIND)
    def remind(self, order: Reminding) -> Stand:
        """Remind whoever owes the next step."""
        with transaction(self._engine) as connection:
            return stand(recording.remind(connection, order.referral_id, order.number, self._tell))

    @activity.defn(name=steps.FOLLOW_UP)
    def follow_up(self, order: Reminding) -> Stand:
        """Tell who looks after the patient that it is time."""
        with transaction(self._engine) as connection:
            return stand(recording.follow_up(connection, order.referral_id, order.number, self._tell))


def begin(connection: Connection, row: store.Row) -> None:
    """Write the event that starts the workflow of a referral that was begun, once."""
    start = Start(referral_id=row["id"], stand=stand(recording.recorded(row)))
    outbox.tell(connection, f"referral:{row['id']}", start.model_dump(mode="json"))


def stand(recorded: Recorded) -> Stand:
    """Return how a referral stands, as its workflow knows it."""
    return Stand(
        standing=recorded.standing,
        number=recorded.number,
        owner_facility=recorded.owner_facility,
        remind_at=recorded.remind_at,
        deadline_at=recorded.deadline_at,
        level=recorded.level,
        follow_up_at=recorded.follow_up_at,
    )
