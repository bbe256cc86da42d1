"""The record tables: their columns, and what in the canonical model each column says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

CODED = ("code", "name", "system")
PRACTITIONER = ("number", "name")

META = ("at", "deleted", "version", "message_id", "source_version", "changed_at")
"""Columns that every record ends with; `at` is the clinical time, and when the message came where the source gives none."""


@dataclass(frozen=True, slots=True)
class Table:
    """One record table."""

    name: str
    """Of the table in schema `records`."""
    own: tuple[str, ...]
    """Columns that the platform fills: keys, references, rank."""
    said: Mapping[str, tuple[str, ...]]
    """Column → path in the model: what a message says."""
    clinical_time: str
    """The column that `at` follows."""
    groups: tuple[tuple[str, ...], ...] = ()
    """Columns that are replaced together: a code without a name does not keep the name of another code."""
    columns: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        """List all columns."""
        object.__setattr__(self, "columns", (*self.own, *self.said, *META))


def _paths(*names: str, **renamed: str) -> dict[str, tuple[str, ...]]:
    return {name: (name,) for name in names} | {column: (path,) for column, path in renamed.items()}


def _parts(of: str, parts: tuple[str, ...], prefix: str | None = None) -> dict[str, tuple[str, ...]]:
    prefix = of if prefix is None else prefix
    return {f"{prefix}_{part}": (of, part) for part in parts}


_KEYS = ("id", "patient_id", "facility")
_ITEM = _parts("item", CODED)
_DEPARTMENT = _parts("department", CODED)
_DOCTOR = _parts("doctor", PRACTITIONER)
_AUTHOR = _parts("author", PRACTITIONER)


def _table(
    name: str,
    own: tuple[str, ...],
    said: dict[str, tuple[str, ...]],
    clinical_time: str,
    *more: tuple[str, ...],
) -> Table:
    parts = [tuple(p) for p in (_ITEM, _DEPARTMENT, _DOCTOR, _AUTHOR, _TYPE) if set(p) <= set(said)]
    return Table(name, _KEYS + own, MappingProxyType(said), clinical_time, (*parts, *more))


_TYPE = _parts("type", CODED)

ENCOUNTER = _table(
    "encounter",
    ("number",),
    _paths("status", "bed", start_at="start", end_at="end") | {"class": ("class_",)} | _DEPARTMENT | _DOCTOR,
    "start_at",
)
DIAGNOSIS = _table(
    "diagnosis", ("encounter_id", "rank"), _paths("code", "name", "system"), "", ("code", "name", "system")
)
ORDER = _table(
    "order",
    ("number", "encounter_id"),
    _paths("filler_number", "kind", "status", "priority", "ordered_at") | _ITEM | _DEPARTMENT | _DOCTOR,
    "ordered_at",
)
REPORT = _table(
    "report",
    ("number", "encounter_id", "order_id"),
    _paths("order_number", "kind", "status", "modality", "issued_at", "findings", "conclusion")
    | _ITEM
    | _AUTHOR
    | _DOCTOR,
    "issued_at",
)
RESULT = _table(
    "result",
    ("report_id", "encounter_id", "category", "rank"),
    _paths("status", "value", "unit", "reference_range", "flag", "observed_at", value_number="number")
    | _ITEM,
    "observed_at",
    ("value", "value_number", "flag"),
)
DOCUMENT = _table(
    "document",
    ("number", "encounter_id", "content_sha256", "content_size"),
    _paths("title", "status", "replaces", "mime_type", "created_at") | _TYPE | _AUTHOR,
    "created_at",
)
CHARGE = _table(
    "charge",
    ("number", "encounter_id"),
    _paths("amount", "currency", "quantity", "charged_at", "payer") | _ITEM,
    "charged_at",
)
APPOINTMENT = _table(
    "appointment",
    ("number", "encounter_id"),
    _paths("status", "minutes", start_at="start") | _ITEM | _DEPARTMENT | _DOCTOR,
    "start_at",
)

TABLES = MappingProxyType(
    {t.name: t for t in (ENCOUNTER, DIAGNOSIS, ORDER, REPORT, RESULT, DOCUMENT, CHARGE, APPOINTMENT)}
)
