"""The one specification of a destination file: another system to which messages are delivered."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, PositiveFloat, StringConstraints, field_validator, model_validator

from bus.hl7.charset import TABLE_0211
from bus.rules.marks import Marked, RuleError, checked, read_marked
from bus.rules.spec import Closed, DestinationName

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class Acknowledgement(enum.StrEnum):
    """Which answer of an MLLP receiver ends a delivery (HL7 v2.5 §2.9)."""

    ORIGINAL = "original"
    """The application's: AA, AE, AR."""
    ENHANCED = "enhanced"
    """The accept acknowledgement: CA, CE, CR; the receiver has stored it. AA, AE, AR are taken, too."""


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
    """TLS to an MLLP receiver: files in PEM, named by path on the machine that delivers."""

    ca: Path | None = Field(default=None, description="who signs the receiver; by default the machine's list")
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


class WebhookDestination(Destination):
    """HTTP POST, signed as Standard Webhooks has it (standardwebhooks.com)."""

    kind: Literal["webhook"]
    address: str = Field(description="URL, https:// unless plain_http is true")
    plain_http: bool = Field(default=False, description="patients' data may go in the clear to this host")
    secret: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+$")] = Field(
        description="name of the signing secret in the setting delivery_secrets; never the secret"
    )
    content_type: str | None = Field(
        default=None,
        description="by default that of what is sent: application/hl7-v2, application/fhir+json, …",
    )

    @field_validator("address")
    @classmethod
    def _url(cls, address: str) -> str:
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("write https://host/path")
        if parts.username is not None or parts.password is not None:
            raise ValueError("no user and password here: who reads the file would know them")
        return address

    @model_validator(mode="after")
    def _in_the_clear(self) -> WebhookDestination:
        parts = urlsplit(self.address)
        if parts.scheme == "http" and parts.hostname not in LOOPBACK and not self.plain_http:
            raise ValueError("http:// sends patients' data in the clear; write https://, or plain_http: true")
        return self


AnyDestination = MllpDestination | WebhookDestination
KINDS: Mapping[str, type[MllpDestination] | type[WebhookDestination]] = {
    "mllp": MllpDestination,
    "webhook": WebhookDestination,
}


@dataclass(frozen=True, slots=True)
class Destinations:
    """All destination files of a folder of rules, and every mistake in them."""

    by_name: Mapping[str, AnyDestination]
    errors: tuple[RuleError, ...]


def load_destinations(rules_dir: Path) -> Destinations:
    """Read `destinations/*.yaml`; mistakes are collected, not raised."""
    found: dict[str, AnyDestination] = {}
    errors: list[RuleError] = []
    for path in sorted((rules_dir / "destinations").glob("*.yaml")):
        try:
            one = read_destination(path, str(path.relative_to(rules_dir)))
            found[one.name] = one
        except RuleError as error:
            errors.append(error)
    return Destinations(found, tuple(errors))


def read_destination(path: Path, shown: str) -> AnyDestination:
    """Read one file; `shown` names it in errors. Raises `RuleError`."""
    marked = read_marked(path, shown)
    spec = _checked(marked)
    if spec.name != path.stem:
        raise marked.error(("name",), f"the file of {spec.name} is named {spec.name}.yaml")
    return spec


def _checked(marked: Marked) -> AnyDestination:
    kind = marked.data.get("kind") if isinstance(marked.data, dict) else None
    model = KINDS.get(str(kind))
    if model is None:
        raise marked.error(("kind",), f"kind: one of {', '.join(KINDS)}")
    return checked(model, marked)
