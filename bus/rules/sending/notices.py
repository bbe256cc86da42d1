"""Of which changes of patients' identifiers a destination is told."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from bus.rules.spec import Closed


class PixNotices(Closed):
    """What it is told of patients' identifiers (IHE PIX): docs/patient-identity-feeds.md."""

    domains: tuple[str, ...] = Field(
        min_length=1,
        description="campus codes whose numbers it is told of, and CONSORTIUM for the consortium's ids",
    )
    links: bool = Field(
        default=True,
        description="when the numbers that are one person change: ADT^A31 (ITI-10), in HL7 v3 ITI-46",
    )
    document_registry: bool = Field(
        default=False, description="ADT^A43 when a number moves to another consortium id (ITI-64)"
    )

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.links and not self.document_registry:
            raise ValueError("pix: links, document_registry or both: otherwise leave pix out")
        return self
