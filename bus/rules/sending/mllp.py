"""A destination that takes HL7 v2 over MLLP."""

from __future__ import annotations

import enum
from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, StringConstraints

from bus.rules.sending.base import Destination, Tls


class Acknowledgement(enum.StrEnum):
    """Which answer of an MLLP receiver ends a delivery (HL7 v2.5 §2.9)."""

    ORIGINAL = "original"
    """The application's: AA, AE, AR."""
    ENHANCED = "enhanced"
    """The accept acknowledgement: CA, CE, CR; the receiver has stored it. AA, AE, AR are taken, too."""


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

    @property
    def host(self) -> str:
        """The host of the address."""
        return self.address.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port of the address."""
        return int(self.address.rpartition(":")[2])
