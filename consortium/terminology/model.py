"""The words of master data: kinds of entries, their fields, entries with effective dates."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

GROUP = "GROUP"
"""Owner of what is the whole consortium's; every other owner is a campus code."""


class Kind(enum.StrEnum):
    """What is mastered."""

    DEPARTMENT = "department"
    STAFF = "staff"
    BED = "bed"
    LAB_ITEM = "lab-item"
    EXAM_ITEM = "exam-item"
    DRUG = "drug"
    DIAGNOSIS = "diagnosis"
    CODE_SYSTEM = "code-system"


@dataclass(frozen=True, slots=True)
class Field:
    """One attribute of a kind."""

    name: str
    meaning: str
    required: bool = False
    choices: tuple[str, ...] = ()
    refers_to: Kind | None = None
    """It is the code of an entry of that kind, of the same owner or of the consortium."""


FIELDS: Mapping[Kind, tuple[Field, ...]] = {
    Kind.DEPARTMENT: (
        Field("type", "what it does", choices=("clinical", "ward", "technical", "administrative")),
        Field("parent", "department above it", refers_to=Kind.DEPARTMENT),
        Field("phone", "telephone"),
    ),
    Kind.STAFF: (
        Field("department", "where they work", required=True, refers_to=Kind.DEPARTMENT),
        Field(
            "role",
            "profession",
            required=True,
            choices=("doctor", "nurse", "technician", "pharmacist", "other"),
        ),
        Field("title", "professional title (职称)"),
        Field("licence", "licence number (执业证书编号)"),
    ),
    Kind.BED: (
        Field("department", "ward or department", required=True, refers_to=Kind.DEPARTMENT),
        Field("room", "room"),
        Field("type", "sort of bed", choices=("ordinary", "icu", "isolation", "extra")),
    ),
    Kind.LAB_ITEM: (
        Field("system", "code system of the code, such as http://loinc.org"),
        Field("specimen", "specimen (标本)"),
        Field("unit", "unit of the result, UCUM"),
        Field("method", "method (方法)"),
    ),
    Kind.EXAM_ITEM: (
        Field("system", "code system of the code"),
        Field("modality", "DICOM modality, such as CT"),
        Field("body_site", "part of the body (部位)"),
    ),
    Kind.DRUG: (
        Field("system", "code system of the code"),
        Field("form", "dosage form (剂型)"),
        Field("strength", "strength (规格)"),
        Field("unit", "unit of dispensing"),
        Field("manufacturer", "manufacturer (生产厂家)"),
        Field("approval", "approval number (国药准字)"),
    ),
    Kind.DIAGNOSIS: (
        Field("system", "code system of the code, such as ICD-10"),
        Field("category", "chapter or category"),
    ),
    Kind.CODE_SYSTEM: (
        Field("uri", "its canonical URI or urn:oid:", required=True),
        Field("version", "version of the publisher", required=True),
        Field("publisher", "who publishes it"),
    ),
}
"""The attributes of each kind, in the order of the CSV's columns."""

Key = tuple[str, str, date]
"""Owner, code and first day of a period."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What a code means to its owner in one period."""

    kind: Kind
    owner: str
    code: str
    name: str
    valid_from: date
    """First day in force."""
    valid_to: date | None = None
    """Last day in force; None: until the next period of the code begins, or for good."""
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> Key:
        """Return what makes it the same period of the same code."""
        return self.owner, self.code, self.valid_from


@dataclass(frozen=True, slots=True)
class Recorded:
    """A version of an entry as it was recorded."""

    id: int
    version: int
    entry: Entry
    recorded_by: str
    recorded_at: datetime
    source: str
    """Name of the file it came in, or who sent it."""
