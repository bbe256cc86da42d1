"""What a consultation's workflow is told: references, no clinical content and no name."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict

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
