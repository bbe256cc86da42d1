"""What a step carries: its note, and what it decides."""

from __future__ import annotations

from typing import Annotated, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints, model_validator

from consortium.referral.model import Need

Code = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]


class Details(BaseModel):
    """Everything a step may carry; which of it a step needs, the table says."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    note: Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)] = ""
    department: Code | None = None
    """Code of the receiving department."""
    bed: Code | None = None
    slot_id: UUID | None = None
    """Slot of a calendar of the receiver, whose times count then; `accept` holds it, `book` books it."""
    slot_start: AwareDatetime | None = None
    slot_end: AwareDatetime | None = None
    hospital: Code | None = None
    """Campus code of the hospital to go to instead."""
    delegate: Code | None = None
    """Username of who takes over."""
    encounter: Code | None = None
    """Visit number at the receiving hospital."""

    follow_up_at: AwareDatetime | None = None
    """When somebody is to look after the patient again, after the referral is closed (随访)."""

    @model_validator(mode="after")
    def _a_time_ends_after_it_begins(self) -> Self:
        if (self.slot_start is None) != (self.slot_end is None):
            raise ValueError("a booked time has a start and an end")
        if self.slot_start and self.slot_end and self.slot_end <= self.slot_start:
            raise ValueError("a booked time ends after it begins")
        return self

    def has(self) -> frozenset[Need]:
        """Return which needs of steps this meets."""
        given = {
            Need.NOTE: self.note,
            Need.DEPARTMENT: self.department,
            Need.SLOT: self.slot_id or self.slot_end,
            Need.HOSPITAL: self.hospital,
            Need.DELEGATE: self.delegate,
        }
        return frozenset(need for need, value in given.items() if value)


RECORDED = frozenset({Need.FORM, Need.CRITERION, Need.CONSENT, Need.APPROVAL})
"""Needs that the records of the referral meet, and no step carries."""
