"""A destination that takes HL7 v2 over MLLP."""

from __future__ import annotations

import enum
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PositiveFloat, StringConstraints, model_validator

from bus.rules.sending.base import Destination, Tls
from bus.rules.sending.notices import PixNotices
from bus.rules.spec import Closed


class Acknowledgement(enum.StrEnum):
    """Which answer of an MLLP receiver ends a delivery (HL7 v2.5 §2.9)."""

    ORIGINAL = "original"
    """The application's: AA, AE, AR."""
    ENHANCED = "enhanced"
    """The accept acknowledgement: CA, CE, CR; the receiver has stored it. AA, AE, AR are taken, too."""


class Batch(Closed):
    """Several messages in one frame: FHS, BHS, messages, BTS, FTS; each has its own answer."""

    messages: int = Field(ge=2, le=64, description="in a frame at most")
    wait_seconds: PositiveFloat = Field(default=0.5, description="how long the first waits for others")


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
    sequence: bool = Field(
        default=False,
        description="the sequence number protocol (MSH-13, MSA-4): one message at a time; the receiver says"
        " which number it expects, so that nothing is ambiguous",
    )
    again_control_id: Literal["new", "same"] = Field(
        default="new",
        description="MSH-10 of a message as it came that is sent again on purpose; same: for a receiver that"
        " does not drop what it had",
    )
    batch: Batch | None = Field(default=None, description="absent: each message in its own frame")
    tls: Tls | None = Field(default=None, description="absent: in the clear")
    pix: PixNotices | None = Field(default=None, description="absent: it is told of no links")

    @model_validator(mode="before")
    @classmethod
    def _settled_by_number(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("sequence") is True:
            return {"resend_ambiguous": True, **data}
        return data

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        if self.master_data:
            raise ValueError(
                "master_data: it is JSON, and MLLP carries HL7 v2: tell this system by a destination of kind"
                " rest, webhook, soap, tables or files"
            )
        if self.sequence and (self.connections > 1 or self.batch):
            raise ValueError("sequence: messages go one by one: take out connections and batch")
        if self.batch and self.connections < self.batch.messages:
            raise ValueError(
                "batch: connections is how many messages are on their way at a time: write it, and at least"
                f" {self.batch.messages}"
            )
        return self

    @property
    def host(self) -> str:
        """The host of the address."""
        return self.address.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port of the address."""
        return int(self.address.rpartition(":")[2])
