"""The canonical model: what a message says, in one shape for every campus.

A rule file turns each message into one `Change`.  Codes in it are the consortium's own, names are as people
read them, times carry a zone.  Nothing here knows a protocol, a database or a framework other than Pydantic.
"""

from __future__ import annotations

import enum
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal, get_args

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
    PROCEDURE = "procedure"
    ALLERGY = "allergy"


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
    vip: bool | None = Field(
        default=None, description="a VIP: never linked by automation, found by those permitted alone"
    )


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
    """One order (医嘱/申请): who wants what done. What follows `prescription` is of medicines alone."""

    number: Number = Field(description="placer order number")
    filler_number: Number | None = None
    kind: OrderKind
    status: OrderStatus = "active"
    item: Coded
    priority: Literal["routine", "urgent", "stat"] = "routine"
    ordered_at: AwareDatetime | None = None
    doctor: Practitioner | None = None
    department: Coded | None = None
    prescription: Number | None = Field(default=None, description="prescription (处方) that it is a line of")
    dose: Decimal | None = Field(default=None, ge=0, description="of one time")
    dose_unit: Text | None = None
    route: Coded | None = Field(default=None, description="how it is given (用药途径)")
    frequency: Coded | None = Field(default=None, description="how often (频次): qd, bid, tid")
    days: int | None = Field(default=None, ge=0, description="how long, in days")
    quantity: Decimal | None = Field(default=None, ge=0, description="dispensed in all")
    quantity_unit: Text | None = None
    instructions: Text | None = Field(default=None, description="for the patient, or how herbs are prepared")
    deleted: bool = False


ResultStatus = Literal["preliminary", "final", "corrected", "cancelled"]
Flag = Literal["normal", "low", "high", "abnormal", "critical_low", "critical_high", "critical"]


class Result(Fact):
    """One item of a report: a lab value, or one finding."""

    item: Coded
    sub_id: Number | None = Field(
        default=None,
        description="joins results of one report that belong together (OBX-4): an organism and its"
        " susceptibilities, a child and its Apgar scores",
    )
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


ReportKind = Literal["lab", "exam", "nursing", "midwifery", "checkup"]
REPORT_NUMBERS = tuple(f"{kind}_report" for kind in get_args(ReportKind))
"""Kinds of the numbers that name reports: each kind of report has numbers of its own."""


class Report(Fact):
    """A report with its results: laboratory (microbiology, too), examination, a sheet of nursing
    observations (护理记录), a midwifery record (助产记录), a check-up (体检).
    """

    number: Number = Field(description="accession or report number, unique in the campus and kind")
    kind: ReportKind
    item: Coded
    specimen: Coded | None = Field(default=None, description="what was examined (标本)")
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


class Procedure(Fact):
    """An operation (手术), an anaesthesia (麻醉) or another thing done to a patient."""

    number: Number
    kind: Literal["surgery", "anaesthesia", "other"]
    status: Literal["planned", "in_progress", "completed", "cancelled"] = "completed"
    item: Coded = Field(description="operation, or method of anaesthesia")
    site: Coded | None = Field(default=None, description="where on the body")
    start: AwareDatetime | None = None
    end: AwareDatetime | None = None
    doctor: Practitioner | None = Field(default=None, description="surgeon, or anaesthetist")
    department: Coded | None = None
    order_number: Number | None = None
    part_of: Number | None = Field(
        default=None, description="number of the operation that an anaesthesia is for"
    )
    level: Text | None = Field(default=None, description="grade of the operation (手术级别), or ASA class")
    incision: Text | None = Field(default=None, description="class of incision and healing (切口愈合等级)")
    note: Annotated[str, StringConstraints(max_length=1_000_000)] | None = Field(
        default=None, description="course, findings, complications"
    )
    deleted: bool = False


class Allergy(Fact):
    """An allergy or intolerance (过敏史)."""

    number: Number = Field(description="where the campus has none, made of patient and substance by the rule")
    item: Coded = Field(description="the substance")
    category: Literal["medication", "food", "environment", "biologic"] | None = None
    criticality: Literal["low", "high"] | None = None
    status: Literal["active", "inactive", "refuted"] = "active"
    reaction: Text | None = None
    noted_at: AwareDatetime | None = None
    author: Practitioner | None = None
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
    procedures: tuple[Procedure, ...] = ()
    allergies: tuple[Allergy, ...] = ()


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
