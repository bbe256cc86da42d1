"""What a step carries: its note, and what it decides."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from consortium.teleconsult.model import Need

Code = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
MOST_EXPERTS = 10


class Opinion(BaseModel):
    """What the experts say."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    findings: Annotated[str, StringConstraints(strip_whitespace=True, max_length=10_000)] = ""
    """What was found in the material or the session (会诊所见)."""
    opinion: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000)]
    """What they think (诊断意见)."""
    advice: Annotated[str, StringConstraints(strip_whitespace=True, max_length=10_000)] = ""
    """What they would do; the requesting hospital decides (处理建议)."""


class Details(BaseModel):
    """Everything a step may carry; which of it a step needs, the table says."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    note: Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)] = ""
    experts: Annotated[tuple[Code, ...], Field(max_length=MOST_EXPERTS)] = ()
    """Usernames of the experts, of whichever hospital."""
    department: Code | None = None
    """Code of the department whose doctors may claim it."""
    slots: Annotated[tuple[UUID, ...], Field(max_length=MOST_EXPERTS)] = ()
    """One of each expert, all at the same time."""
    opinion: Opinion | None = None
    rating: Annotated[int, Field(ge=1, le=5)] | None = None
    fee: Annotated[Decimal, Field(ge=0, max_digits=10, decimal_places=2)] | None = None
    """In yuan."""

    @model_validator(mode="after")
    def _nobody_and_nothing_twice(self) -> Self:
        for named in (self.experts, self.slots):
            if len(set(named)) != len(named):
                raise ValueError("an expert or a slot is named twice")
        return self

    def has(self) -> frozenset[Need]:
        """Return which needs of steps this meets."""
        given = {
            Need.NOTE: bool(self.note),
            Need.EXPERT: bool(self.experts or self.department),
            Need.SLOTS: bool(self.slots),
            Need.OPINION: self.opinion is not None,
            Need.RATING: self.rating is not None,
            Need.FEE: self.fee is not None,
        }
        return frozenset(need for need, there in given.items() if there)


RECORDED = frozenset({Need.QUESTION, Need.CONSENT, Need.MATERIAL, Need.UNASSIGNED, Need.LAST_WORD})
"""Needs that the records of the consultation meet, and no step carries."""
