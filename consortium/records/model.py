"""The canonical model: what a message says, in one shape for every campus.

A rule file turns each message into one `Change`.  Codes in it are the consortium's own, names are as people
read them, times carry a zone.  Nothing here knows a protocol, a database or a framework other than Pydantic.
"""

from __future__ import annotations

import enum
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

Text = Annotated[str, StringConstraints(min_length=1, max_length=4000)]
Number = Annotated[str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True)]
"""A number a hospital gives: of a patient, a visit, an order, a report."""


class Fact(BaseModel):
    """Frozen, and closed: a field nobody knows is a mistake in a rule."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Kind(enum.StrEnum):
    """What a change is about."""

    PATIENT = "patient"
    MERGE = "merge"
    ENCOUNTER = "encounter"
    ORDER = "order"
    REPORT = "report"
    DOCUMENT = "document"
    CHARGE = "charge"
    APPOINTMENT = "appointment"


class Coded(Fact):
    """A code, the code system it is from, and its name."""

    code: Number
    name: Text | None = None
    system: Text | None = Field(default=None, description="urn:oid:… or URL; None: the campus's own")


class Practitioner(Fact):
    """A member of staff as a campus names them."""

    number: Number | None = None
    name: Text | None = None


Sex = Literal["male", "female", "other", "unknown"]


class Patient(Fact):
    """A patient as one campus knows them. Only the number must be there."""

    number: Number
    name: Text | None = None
    sex: Sex | None = None
    birth_date: date | None = None
    id_card: Number | None = Field(default=None, description="resident ID card as sent; checked by identity")
    phone: Text | None = None
    address: Text | None = None
    deceased: bool | None = None


class Merge(Fact):
    """`retired` was a second number for the person who keeps `surviving` (ADT^A40)."""

    surviving: Number
    retired: Number


EncounterClass = Literal["outpatient", "emergency", "inpatient", "checkup"]
EncounterStatus = Literal["planned", "arrived", "in_progress", "finished", "cancelled"]


class Encounter(Fact):
    """One visit."""

    number: Number
    class_: EncounterClass | None = None
    status: EncounterStatus | None = None
    department: Coded | None = None
    doctor: Practitioner | None = None
    bed: Text | None = None
    start: AwareDatetime | None = None
    end: AwareDatetime | None = None
    diagnoses: tuple[Coded, ...] = ()
    deleted: bool = False


OrderKind = Literal["lab", "exam", "medication", "procedure", "other"]
OrderStatus = Literal["active", "completed", "cancelled"]


class Order(Fact):
    """One order (医嘱/申请): who wants what done."""

    number: Number = Field(description="placer order number")
    filler_number: Number | None = None
    kind: OrderKind
    status: OrderStatus = "active"
    item: Coded
    priority: Literal["routine", "urgent", "stat"] = "routine"
    ordered_at: AwareDatetime | None = None
    doctor: Practitioner | None = None
    department: Coded | None = None
    deleted: bool = False


ResultStatus = Literal["preliminary", "final", "corrected", "cancelled"]
Flag = Literal["normal", "low", "high", "abnormal", "critical_low", "critical_high", "critical"]


class Result(Fact):
    """One item of a report: a lab value, or one finding."""

    item: Coded
    value: Annotated[str, StringConstraints(max_length=65_536)] = Field(
        default="", description="as sent, for people"
    )
    number: Decimal | None = Field(default=None, description="the value where it is a plain number")
    unit: Text | None = None
    reference_range: Text | None = None
    flag: Flag | None = None
    status: ResultStatus = "final"
    observed_at: AwareDatetime | None = None
    deleted: bool = Field(default=False, description="this item alone was entered in error")

    @property
    def critical(self) -> bool:
        """Whether this is a critical value (危急值)."""
        return self.flag in ("critical_low", "critical_high", "critical")


class Report(Fact):
    """A lab or exam report with its results."""

    number: Number = Field(description="accession or report number, unique in the campus and kind")
    kind: Literal["lab", "exam"]
    item: Coded
    status: ResultStatus = "final"
    order_number: Number | None = None
    modality: Text | None = None
    issued_at: AwareDatetime | None = None
    author: Practitioner | None = None
    doctor: Practitioner | None = Field(
        default=None, description="who ordered it, and is told of critical values"
    )
    findings: Annotated[str, StringConstraints(max_length=1_000_000)] | None = None
    conclusion: Annotated[str, StringConstraints(max_length=1_000_000)] | None = None
    results: tuple[Result, ...] = ()
    deleted: bool = False


class Document(Fact):
    """A clinical document."""

    number: Number = Field(description="unique document id in the campus")
    type: Coded
    title: Text
    status: Literal["current", "superseded", "cancelled"] = "current"
    replaces: Number | None = None
    mime_type: str = "text/plain; charset=utf-8"
    content: bytes = b""
    author: Practitioner | None = None
    created_at: AwareDatetime | None = None
    deleted: bool = False


class Charge(Fact):
    """One line of a bill."""

    number: Number
    item: Coded
    amount: Decimal
    currency: str = "CNY"
    quantity: Decimal = Decimal(1)
    charged_at: AwareDatetime | None = None
    payer: Text | None = None
    deleted: bool = False


class Appointment(Fact):
    """A booked visit or examination."""

    number: Number
    status: Literal["booked", "cancelled", "fulfilled", "no_show"] = "booked"
    item: Coded | None = None
    department: Coded | None = None
    doctor: Practitioner | None = None
    start: AwareDatetime | None = None
    minutes: int | None = Field(default=None, ge=0)
    deleted: bool = False


class Change(Fact):
    """Everything one message says. `kind` names its subject; the rest is what comes along."""

    kind: Kind
    patient: Patient
    merge: Merge | None = None
    encounter: Encounter | None = None
    orders: tuple[Order, ...] = ()
    reports: tuple[Report, ...] = ()
    documents: tuple[Document, ...] = ()
    charges: tuple[Charge, ...] = ()
    appointments: tuple[Appointment, ...] = ()


class Provenance(Fact):
    """Where a change comes from."""

    message_id: int
    facility: str
    received_at: datetime
    source_version: str | None = Field(
        default=None,
        description="orders two versions of one record, where the source has one (a table's updated_at): an"
        " older one never overwrites a newer, so live feed and backfill agree whichever comes first",
    )
    part: int | None = Field(
        default=None, ge=1, description="which of the message's changes, from 1; None: it has one"
    )
