"""What each REST upload carries. Keys are English; values are the campus's own, codes in its own dialect.

Dates are ISO 8601; a time without a zone is the campus's local time (Asia/Shanghai).
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, StringConstraints

_PRINTABLE = r"^[^\x00-\x1f\x7f]*$"
_NO_NUL = r"^[^\x00]*$"

Number = Annotated[
    str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True, pattern=_PRINTABLE)
]
Text = Annotated[str, StringConstraints(min_length=1, max_length=4000, pattern=_NO_NUL)]
LongText = Annotated[str, StringConstraints(max_length=1_000_000, pattern=_NO_NUL)]


class Part(BaseModel):
    """Closed: a key nobody knows is refused with its path, so that a misspelt one is not lost in silence."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Coded(Part):
    """A code of the campus's own dictionary and its name."""

    code: Number
    name: Text | None = None


class Staff(Part):
    """A member of staff."""

    number: Number | None = None
    name: Text | None = None


class Patient(Part):
    """A patient as the campus knows them."""

    number: Number
    name: Text | None = None
    sex: Number | None = Field(default=None, description="男 女 未知")
    birth_date: date | None = None
    id_card: Number | None = None
    phone: Text | None = None
    address: Text | None = None
    deceased: bool | None = None
    vip: bool | None = Field(default=None, description="found by those permitted alone")


class Upload(Part):
    """What every upload has."""

    sent_at: datetime | None = Field(default=None, description="when it was made; a retry may change it")
    patient: Patient


class PatientUpload(Upload):
    """A patient was registered or changed."""


class Encounter(Part):
    """One visit."""

    number: Number
    class_: Number = Field(alias="class", description="门诊 急诊 住院 体检")
    status: Number = Field(description="预约 到诊 在诊 结束 取消")
    department: Coded | None = None
    doctor: Staff | None = None
    bed: Text | None = None
    start: datetime | None = None
    end: datetime | None = None
    diagnoses: tuple[Coded, ...] = ()


class EncounterUpload(Upload):
    """A visit began, changed or ended."""

    encounter: Encounter


class Order(Part):
    """One order (医嘱/申请)."""

    number: Number
    filler_number: Number | None = None
    kind: Number = Field(description="检验 检查 药品 操作 其他")
    item: Coded
    priority: Number | None = Field(default=None, description="普通 急 特急")
    status: Number = Field(description="申请 完成 作废")
    ordered_at: datetime | None = None
    doctor: Staff | None = None
    department: Coded | None = None


class OrderUpload(Upload):
    """Orders were placed, done or taken back."""

    encounter_number: Number | None = None
    orders: tuple[Order, ...] = Field(min_length=1, max_length=1000)


class LabResult(Part):
    """One item of a laboratory report."""

    item: Coded
    value: LongText
    unit: Text | None = None
    reference_range: Text | None = None
    flag: Number | None = Field(default=None, description="正常 偏低 偏高 危急低 危急高 异常 危急")


class LabReport(Part):
    """One laboratory report."""

    number: Number
    order_number: Number | None = None
    item: Coded = Field(description="the panel (组套)")
    status: Number = Field(description="初步 审核 修正 作废")
    observed_at: datetime | None = None
    issued_at: datetime | None = None
    author: Staff | None = None
    doctor: Staff | None = Field(default=None, description="who ordered it, and is told of critical values")
    results: tuple[LabResult, ...] = Field(default=(), max_length=2000)


class LabReportUpload(Upload):
    """Laboratory reports with their results."""

    encounter_number: Number | None = None
    reports: tuple[LabReport, ...] = Field(min_length=1, max_length=100)


class ExamReport(Part):
    """One imaging, ultrasound or ECG report."""

    number: Number
    order_number: Number | None = None
    modality: Number | None = Field(default=None, description="CT MR DX US ECG")
    item: Coded
    status: Number = Field(description="初步 审核 修正 作废")
    issued_at: datetime | None = None
    findings: LongText | None = None
    conclusion: LongText | None = None
    author: Staff | None = None
    doctor: Staff | None = None


class ExamReportUpload(Upload):
    """Examination reports."""

    encounter_number: Number | None = None
    reports: tuple[ExamReport, ...] = Field(min_length=1, max_length=100)


class Document(Part):
    """One clinical document."""

    number: Number
    type: Coded
    title: Text
    status: Number = Field(description="有效 已替换 作废")
    replaces: Number | None = None
    mime_type: Text | None = Field(default=None, description="text/plain; charset=utf-8 when absent")
    content: Base64Bytes = Field(description="base64")
    author: Staff | None = None
    created_at: datetime | None = None


class DocumentUpload(Upload):
    """A clinical document."""

    encounter_number: Number | None = None
    document: Document


class Charge(Part):
    """One line of a bill, in CNY."""

    number: Number
    item: Coded
    amount: Decimal
    quantity: Decimal | None = None
    charged_at: datetime | None = None
    payer: Text | None = None
    deleted: bool | None = None


class ChargeUpload(Upload):
    """Lines of a bill."""

    encounter_number: Number | None = None
    charges: tuple[Charge, ...] = Field(min_length=1, max_length=5000)


UPLOADS: dict[str, type[Upload]] = {
    "patient": PatientUpload,
    "encounter": EncounterUpload,
    "order": OrderUpload,
    "lab_report": LabReportUpload,
    "exam_report": ExamReportUpload,
    "document": DocumentUpload,
    "charge": ChargeUpload,
}
"""Interface name → what it takes."""
DOCUMENT = "cda"
"""The interface that takes a WS/T 500 document (HL7 CDA R2) as it is, in XML."""
