"""What a consultation's workflow is told and tells: references and states.

Clinical words are in a step that people take, encrypted like all payloads; nothing else of the patient.
"""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from consortium.teleconsult.details import Details
from consortium.teleconsult.model import Party, Standing, State, Step

VideoKind = Literal["room_started", "participant_joined", "participant_left", "room_finished"]


def consultation_workflow_id(consultation_id: UUID) -> str:
    """Return the workflow id of a consultation: opaque, no patient data."""
    return f"consultation-{consultation_id}"


class VideoEvent(BaseModel):
    """The signal `video`: something happened in the consultation's room.

    It comes at least once and in any order: a workflow knows it again by `event_id`. Who was there for how
    long is read from PostgreSQL (`consortium.teleconsult.rooms.service.attended`).
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    event_id: str
    consultation_id: UUID
    kind: VideoKind
    participant_id: UUID | None = None
    at: AwareDatetime


class Message(BaseModel):
    """Frozen; what is unknown is ignored, so that an older worker reads a newer message."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Stand(Message):
    """How a consultation stands, as PostgreSQL has it after its last step."""

    standing: Standing
    number: int = Field(default=0, description="steps so far")
    owner_facility: str | None = None
    remind_at: AwareDatetime | None = None
    deadline_at: AwareDatetime | None = None
    level: int = Field(default=0, description="escalations of this deadline so far")


class Start(Message):
    """What starts the workflow, and what it continues as new with."""

    consultation_id: UUID
    stand: Stand
    reminded: bool = False
    present: tuple[UUID, ...] = Field(default=(), description="participants who came into the room")
    most: int = Field(default=500, description="steps of one run before it continues as new")


class Take(Message):
    """A person takes a step. The update's id is the caller's idempotency key."""

    step: Step
    party: Party
    user: str
    details: Details = Details()


class Recording(Message):
    """One step to be recorded; idempotent by consultation and key."""

    consultation_id: UUID
    key: str
    step: Step
    party: Party
    user: str | None = Field(description="None: the system")
    details: Details
    at: AwareDatetime


class Reminding(Message):
    """Whoever owes the next step is to be reminded; idempotent by consultation, number and level."""

    consultation_id: UUID
    number: int


class Closing(Message):
    """How a workflow ended."""

    state: State
    number: int
