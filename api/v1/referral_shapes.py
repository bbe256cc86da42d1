"""What the routes of referrals take and give."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from consortium.referral.form import Form
from consortium.referral.model import Direction, Party, State, Step, Urgency

CriterionCode = Literal[
    "critical",
    "mass_casualty",
    "beyond_scope",
    "lacking_technique",
    "rehabilitation",
    "common_disease",
    "hospice",
    "chronic",
]
UPWARD = ("critical", "mass_casualty", "beyond_scope", "lacking_technique")
"""急危重症 / 突发群体事件 / 超出核准诊疗科目 / 缺乏设备或技术."""


class Asked(BaseModel):
    """What a request says; nothing unknown."""

    model_config = ConfigDict(extra="forbid")


class Begin(Asked):
    """A referral to be begun, as a draft."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "direction": "up",
                    "urgency": "urgent",
                    "receiving_facility": "MAIN",
                    "encounter": "ZY20261120001",
                    "criteria": ["lacking_technique"],
                    "form": {"reason": "本院不能开展急诊冠脉介入治疗"},
                }
            ]
        }
    )

    direction: Direction
    urgency: Urgency = "routine"
    receiving_facility: Annotated[str, Field(min_length=1, max_length=20, description="campus code")]
    encounter: Annotated[str, Field(min_length=1, max_length=100)] | None = Field(
        default=None, description="outpatient or inpatient number of one's own hospital"
    )
    parent: UUID | None = Field(default=None, description="the referral that this one goes on from")
    criteria: Annotated[list[CriterionCode], Field(max_length=4)] = []
    documents: Annotated[list[UUID], Field(max_length=100)] = []
    form: Form = Form()

    @model_validator(mode="after")
    def _criteria_of_the_direction(self) -> Self:
        _fitting(self.criteria, self.direction)
        return self


class BackDown(Asked):
    """What is said when a patient is referred back down; the rest comes from the records of the stay."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "criteria": ["rehabilitation"],
                    "reason": "病情稳定，转回康复",
                    "discharge_summary": "PCI 术后恢复良好",
                    "rehabilitation_plan": "双联抗血小板一年，心脏康复每周两次",
                }
            ]
        }
    )

    criteria: Annotated[list[CriterionCode], Field(max_length=4)] = []
    reason: Annotated[str, Field(min_length=1, max_length=20_000)]
    discharge_summary: Annotated[str, Field(min_length=1, max_length=20_000)]
    rehabilitation_plan: Annotated[str, Field(min_length=1, max_length=20_000)]

    @model_validator(mode="after")
    def _criteria_of_the_direction(self) -> Self:
        _fitting(self.criteria, "down")
        return self


class ChangedForm(Asked):
    """The form as it is to be."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "version": 1,
                    "criteria": ["critical"],
                    "form": {
                        "name": "王珅",
                        "sex": "male",
                        "birth_date": "1949-12-31",
                        "preliminary_diagnosis": "急性前壁心肌梗死",
                        "reason": "本院不能开展急诊冠脉介入治疗",
                    },
                }
            ]
        }
    )

    version: int = Field(description="the one that was read; another by now is refused")
    form: Form
    criteria: Annotated[list[CriterionCode], Field(max_length=4)]


class ConsentGiven(Asked):
    """The patient's word (知情同意)."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"given": True, "by_relation": "patient", "method": "written"}]}
    )

    given: bool
    by_relation: Literal["patient", "guardian", "relative", "emergency"] = "patient"
    method: Literal["written", "oral", "electronic"] = "written"


class Attached(Asked):
    """Documents of the records, by reference."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"documents": ["0b0f7c1e-6f3c-4d7e-9a44-3f1d6a1c2b5e"]}]}
    )

    documents: Annotated[list[UUID], Field(min_length=1, max_length=100)]


class Written(Asked):
    """Something to say to the other side."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"body": "请安排周五前入院，谢谢"}]})

    body: Annotated[str, Field(min_length=1, max_length=4000)]


class Summary(BaseModel):
    """A referral in a list."""

    id: UUID
    direction: Direction
    urgency: Urgency
    sending_facility: str = Field(examples=["HP"])
    receiving_facility: str = Field(examples=["MAIN"])
    person_id: UUID | None = Field(description="golden person; null where the records do not know it")
    state: State
    owner: Party | None = Field(description="who owes the next step")
    owner_facility: str | None
    owner_user: str | None
    deadline_at: datetime | None
    deadline_provisional: bool = Field(
        description="reckoned into a year whose public holidays are not official yet"
    )
    escalation_level: int
    slot_start: datetime | None
    department: str | None
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


class Child(BaseModel):
    """A referral that goes on from another: onward, or back down."""

    id: UUID
    direction: Direction
    sending_facility: str
    receiving_facility: str
    state: State
    created_at: datetime


class Approved(BaseModel):
    """One approval inside the sending hospital; without `username` it is still to come."""

    code: str = Field(examples=["medical_affairs"])
    name: str = Field(examples=["医务科"])
    by: Literal["doctor", "coordinator"] = Field(description="role of whoever gives it")
    duty: str | None = Field(description="those alone who have it")
    username: str | None
    at: datetime | None


class Document(BaseModel):
    """A document attached; read it at `/fhir/DocumentReference/{document_id}`."""

    document_id: UUID
    added_by: str
    at: datetime


class Shown(Summary):
    """A referral with everything that belongs to it."""

    parent_id: UUID | None
    encounter_number: str | None
    criteria: list[str]
    form: Form
    form_version: int
    missing: list[str] = Field(description="parts of the form that must still be filled")
    consented: bool
    bed: str | None
    slot_id: UUID | None
    slot_end: datetime | None
    onward_facility: str | None
    arrival_encounter: str | None
    outcome: str | None
    follow_up_at: datetime | None = Field(description="when somebody is to look after the patient again")
    created_by: str
    events: list[Taken]
    documents: list[Document]
    children: list[Child] = Field(
        description="those that go on from it, onward or back down, in which one's hospital has part"
    )
    approvals: list[Approved] = Field(description="inside the sending hospital, in their order")
    open_steps: list[Step] = Field(description="what the caller can do now")


class Referrals(BaseModel):
    """A page, newest first."""

    items: list[Summary]
    next: str | None = Field(description="give it as `after` for the next page; null at the end")


class Criterion(BaseModel):
    """One criterion of referral (转诊指征), checked."""

    code: CriterionCode
    title: str
    title_zh: str
    claimed: bool = Field(description="whether the sender gives it as the reason")
    verdict: Literal["met", "not_met", "not_told"]
    reason: str = Field(examples=["lacking at the sender: pci; it is at the receiver"])
    reason_zh: str = Field(examples=["转出医院缺乏：pci；接收医院具备"])


class Worklist(BaseModel):
    """One list: what waits for the caller's role in one state."""

    state: State
    title: str
    title_zh: str
    steps: list[Step] = Field(description="what can be done there")
    count: int
    escalated: int = Field(description="how many of them are late")


class Standing(BaseModel):
    """How a referral stands after a step."""

    id: UUID
    state: State
    number: int = Field(description="steps so far")
    owner: Party | None
    owner_facility: str | None
    deadline_at: datetime | None
    escalation_level: int


class Message(BaseModel):
    """One message of the thread."""

    id: UUID
    party: Party
    username: str
    body: str
    at: datetime


def _fitting(criteria: list[CriterionCode], direction: Direction) -> None:
    strangers = [one for one in criteria if (one in UPWARD) != (direction == "up")]
    if strangers:
        raise ValueError(f"not criteria of a referral {direction}: {', '.join(strangers)}")
