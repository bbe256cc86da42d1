"""What the faces of identity show: numbers, values, sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field

from api.failures import not_found
from consortium.identity import reading, telling
from consortium.identity.candidates import Candidate
from consortium.identity.model import SourcePatient
from consortium.identity.reading import Linked
from consortium.identity.telling import Told

Value = str | bool | date | None
Why = Annotated[
    str, Field(min_length=1, max_length=1000, description="kept with who does it; no patient data")
]
Facility = Annotated[str, Field(min_length=1, max_length=20, examples=["MAIN"])]


class Sentence(BaseModel):
    """A sentence for people."""

    zh: str
    en: str


class Number(BaseModel):
    """A patient number of a campus."""

    model_config = ConfigDict(extra="forbid")

    facility: Facility
    number: str = Field(min_length=1, max_length=200, examples=["M0001"])


class Step(BaseModel):
    """One step of the waterfall."""

    field: str = Field(examples=["name"])
    level: str = Field(examples=["homophone"])
    weight: float = Field(description="log2; above 0 speaks for one person", examples=[6.2])
    says: Sentence


class LinkedNumber(Number):
    """A number, and by what it is linked to its person."""

    model_config = ConfigDict(extra="ignore")

    source_patient_id: int
    active: bool = Field(description="false: retired for another number of its campus")
    origin: Literal["automatic", "manual"]
    rule: str = Field(examples=["id_card"])
    rule_version: int
    weight: float | None = Field(description="log2 of the match weight, where the rule weighs")
    model_version: str | None
    evidence: list[Step]
    linked_at: datetime


class FormerValue(BaseModel):
    """What a field said before."""

    field: str
    value: Value
    until: datetime
    message_id: int = Field(description="the message that replaced it")


class Side(LinkedNumber):
    """One of the two candidates of a review."""

    person_id: UUID = Field(description="`/api/v1/identity/persons/{person_id}`")
    facts: dict[str, Value]
    former: list[FormerValue]
    together: list[Number] = Field(description="other numbers of the same person")
    records: dict[str, int] = Field(
        description="records that hang on this number", examples=[{"encounter": 2, "report": 5}]
    )


class Given(BaseModel):
    """Why something is done."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"why": "电话核实：不是同一人"}]}
    )

    why: Why


def sentence(told: Told) -> Sentence:
    """Show a sentence."""
    return Sentence(zh=told.zh, en=told.en)


def steps(evidence: Sequence[Mapping[str, Any]]) -> list[Step]:
    """Show a waterfall."""
    return [
        Step(
            field=one["field"],
            level=one["level"],
            weight=one["weight"],
            says=sentence(telling.evidence(one)),
        )
        for one in evidence
    ]


def number(patient: SourcePatient) -> Number:
    """Show a number."""
    return Number(facility=patient.facility, number=patient.number)


def find_number(connection: sa.Connection, wanted: Number) -> Linked:
    """Return a campus's number. Raises that there is none."""
    found = reading.find(connection, wanted.facility, wanted.number)
    if found is None:
        raise not_found("number at that campus")
    return found


def linked_number(linked: Linked) -> LinkedNumber:
    """Show a number with its link."""
    return LinkedNumber(**_linked(linked))


def side(candidate: Candidate) -> Side:
    """Show a candidate."""
    facts = candidate.linked.patient.facts
    return Side(
        **_linked(candidate.linked),
        person_id=candidate.linked.person_id,
        facts={name: getattr(facts, name) for name in type(facts).__dataclass_fields__},
        former=[
            FormerValue(field=one.field, value=one.value, until=one.until, message_id=one.message_id)
            for one in candidate.former
        ],
        together=[number(other) for other in candidate.together],
        records=dict(candidate.records),
    )


def _linked(linked: Linked) -> dict[str, Any]:
    patient = linked.patient
    how = ("origin", "rule", "rule_version", "weight", "model_version")
    return {name: getattr(linked, name) for name in how} | {
        "facility": patient.facility,
        "number": patient.number,
        "source_patient_id": patient.id,
        "active": patient.merged_into is None,
        "evidence": steps(linked.evidence),
        "linked_at": linked.at,
    }
