"""What the routes of consultations take and give."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from consortium.teleconsult.details import Opinion
from consortium.teleconsult.model import Kind, Party, State, Step, Urgency


class Asked(BaseModel):
    """What a request says; nothing unknown."""

    model_config = ConfigDict(extra="forbid")


class ConsentGiven(Asked):
    """The patient's word (知情同意)."""

    by: Literal["patient", "guardian", "relative", "emergency"] = "patient"
    method: Literal["written", "oral", "electronic"] = "written"


class Content(Asked):
    """What is asked, by what, with whose consent."""

    question: Annotated[str, Field(max_length=10_000)] = ""
    documents: Annotated[list[UUID], Field(max_length=100)] = []
    consent: ConsentGiven | None = None


class Begin(Content):
    """A consultation to be requested, as a draft."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "kind": "video",
                    "urgency": "routine",
                    "consulting_facility": "MAIN",
                    "encounter": "ZY20261120001",
                    "question": "冠脉三支病变，是否需要外科手术？",
                    "consent": {"by": "patient", "method": "written"},
                }
            ]
        }
    )

    kind: Kind
    urgency: Urgency = "routine"
    consulting_facility: Annotated[str, Field(min_length=1, max_length=20, description="campus code")]
    encounter: Annotated[str, Field(min_length=1, max_length=100)] | None = Field(
        default=None,
        description="outpatient or inpatient number of one's own hospital; its documents come along",
    )


class Changed(Content):
    """The request as it is to be."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "version": 1,
                    "question": "是否需要外科手术？",
                    "documents": ["0b0f7c1e-6f3c-4d7e-9a44-3f1d6a1c2b5e"],
                    "consent": {"by": "guardian", "method": "written"},
                }
            ]
        }
    )

    version: int = Field(description="the one that was read; another by now is refused")


class Summary(BaseModel):
    """A consultation in a list."""

    id: UUID
    kind: Kind
    urgency: Urgency
    requesting_facility: str = Field(examples=["HP"])
    consulting_facility: str = Field(examples=["MAIN"])
    person_id: UUID | None = Field(description="golden person; null where the records do not know it")
    state: State
    owner: Party | None = Field(description="who owes the next step")
    owner_facility: str | None
    deadline_at: datetime | None
    escalation_level: int
    experts: list[str]
    department: str | None
    starts_at: datetime | None
    ends_at: datetime | None
    created_at: datetime
    changed_at: datetime


class Taken(BaseModel):
    """One step that was taken."""

    number: int
    step: Step
    from_state: State
    to_state: State
    party: Party
    username: str | None
    note: str
    details: dict[str, Any]
    at: datetime


class Signed(BaseModel):
    """The signed opinion (会诊意见)."""

    content: str = Field(description="canonical JSON, exactly what was signed")
    sha256: str = Field(description="of `content` in UTF-8, in hexadecimal")
    signer: str
    signed_at: datetime


class Evaluated(BaseModel):
    """How somebody rated it."""

    party: Party
    rating: int = Field(ge=1, le=5)
    comment: str
    at: datetime


class Shown(Summary):
    """A consultation with everything that belongs to it."""

    encounter_number: str | None
    question: str
    documents: list[UUID] = Field(description="read one at `/fhir/DocumentReference/{id}`")
    consent_by: str | None
    consent_method: str | None
    version: int
    confirmed_by: list[str] = Field(description="experts, and `requesting`")
    opinion: Opinion | None = Field(description="as it is written; before it is signed to its experts alone")
    signed: Signed | None
    evaluations: list[Evaluated]
    fee: Decimal | None = Field(description="yuan")
    created_by: str
    events: list[Taken]
    open_steps: list[Step] = Field(description="what the caller can do now")


class Consultations(BaseModel):
    """A page, newest first."""

    items: list[Summary]
    next: str | None = Field(description="give it as `after` for the next page; null at the end")


class Time(BaseModel):
    """A time at which every expert is free."""

    start: datetime
    end: datetime
    slots: list[UUID] = Field(description="give them to the step `schedule` or `reschedule`")


class Standing(BaseModel):
    """How a consultation stands after a step."""

    id: UUID
    state: State
    number: int = Field(description="steps so far")
    owner: Party | None
    owner_facility: str | None
    deadline_at: datetime | None
    escalation_level: int
