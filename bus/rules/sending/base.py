"""What every destination says, whatever its kind."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, PositiveFloat, StringConstraints, field_validator, model_validator

from bus.hl7.charset import TABLE_0211
from bus.rules.sending.verify import Verify
from bus.rules.spec import Closed, DestinationName
from consortium.terminology.subscribers import SUBSCRIBABLE

SecretName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+$")]
"""Names a secret in the setting delivery_secrets; a file never holds one."""


MasterData = Annotated[str, Field(json_schema_extra={"enum": list(SUBSCRIBABLE)})]
"""A kind of master data, or code-map."""


class Order(enum.StrEnum):
    """What waits for what."""

    PATIENT = "patient"
    """A patient's messages arrive in the order of their effects; what cannot be delivered keeps back those
    behind it, and no other patient's.
    """
    NONE = "none"
    """None waits for another."""


class Retry(Closed):
    """How an answered failure is tried again. A destination that cannot be reached is the breaker's."""

    first_seconds: PositiveFloat = Field(default=1.0, description="before the second try; then doubling")
    longest_seconds: PositiveFloat = Field(default=300.0, description="the cap of that")
    give_up_hours: PositiveFloat = Field(
        default=24.0, description="after its first try a message that keeps failing is parked"
    )


class Breaker(Closed):
    """When a destination that fails is left alone."""

    failures: int = Field(default=5, ge=1, description="in a row, then nothing is sent")
    open_seconds: PositiveFloat = Field(default=10.0, description="until one message tries; then doubling")
    longest_seconds: PositiveFloat = Field(default=300.0, description="the cap of that")


class Tls(Closed):
    """TLS to a receiver: files in PEM, named by path on the machine that delivers."""

    ca: Path | None = Field(
        default=None, description="who signs the receiver, and nobody else; by default the machine's list"
    )
    certificate: Path | None = Field(default=None, description="ours, for mutual TLS")
    key: Path | None = Field(default=None, description="of the certificate")


class Hl7Built(Closed):
    """How HL7 v2 is built for it, where a rule says `send: hl7`."""

    version: Literal["2.4", "2.5"] = Field(default="2.5", description="MSH-12")
    charset: Annotated[str, StringConstraints(min_length=1)] = Field(
        default="UNICODE UTF-8", description="MSH-18, a name of HL7 table 0211; what it lacks is an error"
    )
    receiving_application: str = Field(default="", description="MSH-5")
    receiving_facility: str = Field(default="", description="MSH-6")

    @field_validator("charset")
    @classmethod
    def _known(cls, charset: str) -> str:
        if charset not in TABLE_0211:
            raise ValueError("no name of HL7 table 0211; write UNICODE UTF-8 or GB 18030-2000")
        return charset


class FhirBuilt(Closed):
    """How FHIR is built for it, where a rule says `send: fhir`."""

    bundle: Literal["transaction", "message"] = Field(
        default="transaction", description="each resource updated by its identifier, or a message"
    )


class Destination(Closed):
    """What every destination says."""

    name: DestinationName
    description: str = Field(min_length=1)
    facility: Annotated[str, StringConstraints(min_length=1)] = Field(
        description="campus code of whose system it is, or GROUP: its engineers may pause it"
    )
    order: Order = Order.PATIENT
    connections: int = Field(default=1, ge=1, le=64, description="messages on their way at a time")
    timeout_seconds: PositiveFloat = Field(default=30.0, description="to connect, and to wait for the answer")
    resend_ambiguous: bool = Field(
        default=False,
        description="the receiver takes the same message twice without harm: what was sent and not answered"
        " is sent again, and does not wait for a person",
    )
    hl7: Hl7Built = Hl7Built()
    fhir: FhirBuilt = FhirBuilt()
    retry: Retry = Retry()
    breaker: Breaker = Breaker()
    master_data: tuple[MasterData, ...] = Field(
        default=(),
        description="kinds of master data that a subscriber may be told through it: docs/master-data.md",
    )

    @field_validator("master_data")
    @classmethod
    def _subscribable(cls, kinds: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [kind for kind in kinds if kind not in SUBSCRIBABLE]
        if unknown:
            raise ValueError(f"{unknown[0]} is no kind of master data: {', '.join(SUBSCRIBABLE)}")
        return kinds

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.master_data and self.order is Order.NONE:
            raise ValueError("master_data: changes arrive in their order: take out order: none")
        return self

    @property
    def verification(self) -> Verify | None:
        """How it is asked for what was sent and not answered; None: it is not."""
        return None
