"""A destination that takes HL7 v2 over MLLP."""

from __future__ import annotations

import enum
from typing import Annotated, Literal, Self

from pydantic import Field, PositiveFloat, StringConstraints, model_validator

from bus.rules.sending.base import Destination, Tls
from bus.rules.spec import Closed


class Acknowledgement(enum.StrEnum):
    """Which answer of an MLLP receiver ends a delivery (HL7 v2.5 §2.9)."""

    ORIGINAL = "original"
    """The application's: AA, AE, AR."""
    ENHANCED = "enhanced"
    """The accept acknowledgement: CA, CE, CR; the receiver has stored it. AA, AE, AR are taken, too."""


class PixNotices(Closed):
    """What it is told of patients' identifiers (IHE PIX): docs/patient-identity-feeds.md."""

    domains: tuple[str, ...] = Field(
        min_length=1,
        description="campus codes whose numbers it is told of, and CONSORTIUM for the consortium's ids",
    )
    links: bool = Field(
        default=True, description="ADT^A31 when the numbers that are one person change (ITI-10)"
    )
    document_registry: bool = Field(
        default=False, description="ADT^A43 when a number moves to another consortium id (ITI-64)"
    )

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.links and not self.document_registry:
            raise ValueError("pix: links, document_registry or both: otherwise leave pix out")
        return self


class MllpDestination(Destination):
    """HL7 v2 over MLLP."""

    kind: Literal["mllp"]
    address: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.\[\]:_-]+:\d{1,5}$")] = Field(
        description="host:port"
    )
    acknowledgement: Acknowledgement = Acknowledgement.ORIGINAL
    keep_seconds: PositiveFloat = Field(
        default=30.0, description="a connection that was silent for longer is not used again"
    )
    tls: Tls | None = Field(default=None, description="absent: in the clear")
    pix: PixNotices | None = Field(default=None, description="absent: it is told of no links")

    @property
    def host(self) -> str:
        """The host of the address."""
        return self.address.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port of the address."""
        return int(self.address.rpartition(":")[2])
