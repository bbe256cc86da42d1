"""What the referral workflow is told and what it tells: references and states, no clinical content."""

from __future__ import annotations

from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from consortium.referral.details import Details
from consortium.referral.model import BEGINNING, Party, Standing, State, Step


def workflow_id(referral_id: UUID) -> str:
    """Return the workflow id of a referral: opaque, no patient data."""
    return f"referral-{referral_id}"


class Message(BaseModel):
    """Frozen; what is unknown is ignored, so that an older worker reads a newer message."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Stand(Message):
    """How a referral stands, as PostgreSQL has it after its last step."""

    standing: Standing = BEGINNING
    number: int = Field(default=0, description="steps so far")
    owner_facility: str | None = None
    remind_at: AwareDatetime | None = None
    deadline_at: AwareDatetime | None = None
    level: int = Field(default=0, description="escalations of this deadline so far")
    follow_up_at: AwareDatetime | None = Field(
        default=None, description="closed, and somebody is to look after the patient again then"
    )


class Start(Message):
    """What starts the workflow, what it continues as new with, and what it is started again with."""

    referral_id: UUID
    stand: Stand
    reminded: bool = False
    most: int = Field(default=500, description="steps of one run before it continues as new")


class Take(Message):
    """A person takes a step. The update's id is the caller's idempotency key."""

    step: Step
    party: Party
    user: str
    details: Details = Details()


class Arrived(Message):
    """The receiving hospital's ADT message says that the patient is there."""

    encounter: str = Field(description="visit number there")


class Recording(Message):
    """One step to be recorded; idempotent by referral and key."""

    referral_id: UUID
    key: str
    step: Step
    party: Party
    user: str | None = Field(description="None: the system")
    details: Details
    at: AwareDatetime


class Reminding(Message):
    """Whoever owes the next step is to be reminded; idempotent by referral, number and level."""

    referral_id: UUID
    number: int


class Closing(Message):
    """How a workflow ended."""

    state: State
    number: int
