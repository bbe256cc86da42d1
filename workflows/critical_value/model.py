"""What the critical value workflow is told and what it tells: references, no clinical content."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

State = Literal["open", "notified", "escalated", "acknowledged", "withdrawn"]
"""`open → notified → escalated* → acknowledged`; `withdrawn` from any of the first three."""

Duty = Literal["ordering_doctor", "department", "medical_affairs"]
"""Who is told, in the order of escalation."""

LADDER: tuple[Duty, ...] = ("ordering_doctor", "department", "medical_affairs")
"""Escalation level → who is told at it."""


def workflow_id(critical_value_id: UUID) -> str:
    """Return the workflow id of a critical value: opaque, no patient data."""
    return f"critical-value-{critical_value_id}"


class Message(BaseModel):
    """Frozen; what is unknown is ignored, so that an older worker reads a newer message."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Start(Message):
    """What starts the workflow."""

    critical_value_id: UUID
    facility: str
    minutes: tuple[float, ...] = Field(description="how long each level waits before the next is told")

    def deadline(self, level: int) -> timedelta | None:
        """Return how long that level has to acknowledge; None at the last level, which waits on."""
        return timedelta(minutes=self.minutes[level]) if level < len(self.minutes) else None


class Acknowledge(Message):
    """A person takes note of the critical value."""

    user: str
    note: Annotated[str, StringConstraints(max_length=2000)] = ""


class Acknowledged(Message):
    """The acknowledgement as recorded."""

    critical_value_id: UUID
    user: str
    at: AwareDatetime


class Withdrawn(Message):
    """The result behind the critical value was corrected or cancelled."""

    reason: Literal["corrected", "cancelled"] = "corrected"


class Notice(Message):
    """Whom to tell, and at which level; idempotent by workflow and level."""

    critical_value_id: UUID
    facility: str
    workflow_id: str
    duty: Duty
    level: int = Field(ge=0)


class Acknowledging(Message):
    """One acknowledgement to be recorded."""

    critical_value_id: UUID
    workflow_id: str
    user: str
    note: str
    key: str = Field(description="the update id, which is the caller's idempotency key")


class Standing(Message):
    """A critical value's state as PostgreSQL has it."""

    critical_value_id: UUID
    state: State


class Closing(Message):
    """How a workflow ended."""

    state: State
    level: int = Field(description="escalation level reached")
    acknowledged: Acknowledged | None = None
