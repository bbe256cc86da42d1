"""The referral form (转诊单): what the sender tells the receiver, and where each part comes from."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from consortium.referral.model import Direction

Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=20_000)]
Short = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]

NEEDED = ("name", "sex", "birth_date", "preliminary_diagnosis", "reason")
NEEDED_DOWN = ("discharge_summary", "rehabilitation_plan")
"""What a referral down must say besides."""


class Part(BaseModel):
    """Frozen, and nothing unknown."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class KeyResult(Part):
    """One laboratory value or examination that matters."""

    report_id: UUID | None = None
    name: Short
    value: Text = ""
    unit: Short = ""
    flag: Short = ""
    at: AwareDatetime | None = None


class Source(Part):
    """The record that a part of the form was filled from."""

    kind: Literal["patient", "encounter", "diagnosis", "allergy", "order", "procedure", "report", "document"]
    id: str
    facility: str


class Form(Part):
    """The whole form. Empty parts are filled by the sender; `provenance` names the records behind a part."""

    name: Short = ""
    sex: Literal["male", "female", "other", "unknown"] | None = None
    birth_date: date | None = None
    phone: Short = ""
    allergies: tuple[Short, ...] = ()
    history: Text = ""
    preliminary_diagnosis: Text = ""
    diagnosis_codes: tuple[Short, ...] = ()
    """ICD-10."""
    treatment: Text = ""
    key_results: Annotated[tuple[KeyResult, ...], Field(max_length=200)] = ()
    reason: Text = ""
    subject: Short = ""
    """Clinical subject that the patient needs (诊疗科目), a code of the national list."""
    requires: tuple[Short, ...] = ()
    """Equipment and techniques that the patient needs, by the codes of capabilities.yaml."""
    casualties: Annotated[int, Field(ge=1)] | None = None
    """How many came at once."""
    discharge_summary: Text = ""
    rehabilitation_plan: Text = ""
    provenance: dict[str, tuple[Source, ...]] = {}


def missing(form: Form, direction: Direction) -> tuple[str, ...]:
    """Return the names of the parts that must be filled and are not."""
    needed = NEEDED + (NEEDED_DOWN if direction == "down" else ())
    return tuple(name for name in needed if not getattr(form, name))
