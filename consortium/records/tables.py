"""The record tables: their columns, and what in the canonical model each column says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

CODED = ("code", "name", "system")
PRACTITIONER = ("number", "name")

CODED_COLUMNS = ("item", "department", "type", "route", "frequency", "specimen", "site")
"""What is coded by three columns: `<name>_code`, `<name>_name`, `<name>_system`."""

META = ("at", "deleted", "version", "message_id", "source_version", "changed_at")
"""Columns that every record ends with; `at` is the clinical time, and when the message came where the source
gives none.
"""


@dataclass(frozen=True, slots=True)
class Group:
    """Columns that are replaced together, so that a code does not keep the name of another code."""

    lead: str
    """The column that tells what the others are about."""
    others: tuple[str, ...]
    lead_may_lack: bool = False
    """Whether the others can come alone: a doctor known by name only."""


@dataclass(frozen=True, slots=True)
class Table:
    """One record table."""

    name: str
    """Of the table in schema `records`."""
    own: tuple[str, ...]
    """Columns that the platform fills: keys, references, rank."""
    said: Mapping[str, tuple[str, ...]]
    """Column → path in the model: what a message says."""
    clinical_time: str | None
    """The column that `at` follows."""
    groups: tuple[Group, ...] = ()
    key_kind: Callable[[Mapping[str, Any]], str] | None = None
    """Kind of a row in `records.business_key`; None: a part of another record, without a number of its own.
    """
    columns: tuple[str, ...] = field(init=False)
    places: tuple[tuple[str, str, str], ...] = field(init=False)
    """`said` as (column, field, its part or "")."""

    def __post_init__(self) -> None:
        """List all columns."""
        object.__setattr__(self, "columns", (*self.own, *self.said, *META))
        places = [(column, path[0], path[1] if path[1:] else "") for column, path in self.said.items()]
        object.__setattr__(self, "places", tuple(places))


def _paths(*names: str, **renamed: str) -> dict[str, tuple[str, ...]]:
    paths: dict[str, tuple[str, ...]] = {name: (name,) for name in names}
    return paths | {column: (path,) for column, path in renamed.items()}


def _parts(of: str, parts: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    return {f"{of}_{part}": (of, part) for part in parts}


_KEYS = ("id", "patient_id", "facility")
_ITEM = _parts("item", CODED)
_DEPARTMENT = _parts("department", CODED)
_DOCTOR = _parts("doctor", PRACTITIONER)
_AUTHOR = _parts("author", PRACTITIONER)


_TYPE = _parts("type", CODED)
_GROUPS = (
    *(Group(f"{what}_code", (f"{what}_name", f"{what}_system")) for what in CODED_COLUMNS),
    *(Group(f"{who}_number", (f"{who}_name",), lead_may_lack=True) for who in ("doctor", "author")),
    Group("code", ("name", "system")),
    Group("value", ("value_number", "flag")),
    Group("dose", ("dose_unit",)),
    Group("quantity", ("quantity_unit",)),
)


def _table(
    name: str, own: tuple[str, ...], said: dict[str, tuple[str, ...]], clinical_time: str | None
) -> Table:
    groups = tuple(group for group in _GROUPS if group.lead in said)
    return Table(name, _KEYS + own, MappingProxyType(said), clinical_time, groups, _key_kind(name, own))


def _key_kind(name: str, own: tuple[str, ...]) -> Callable[[Mapping[str, Any]], str] | None:
    if "number" not in own:
        return None
    return (lambda row: f"{row['kind']}_report") if name == "report" else (lambda _: name)


ENCOUNTER = _table(
    "encounter",
    ("number",),
    _paths("status", "bed", start_at="start", end_at="end") | {"class": ("class_",)} | _DEPARTMENT | _DOCTOR,
    "start_at",
)
DIAGNOSIS = _table("diagnosis", ("encounter_id", "rank"), _paths("code", "name", "system"), None)
ORDER = _table(
    "order",
    ("number", "encounter_id"),
    _paths("filler_number", "kind", "status", "priority", "ordered_at")
    | _ITEM
    | _DEPARTMENT
    | _DOCTOR
    | _paths("prescription", "dose", "dose_unit", "days", "quantity", "quantity_unit", "instructions")
    | _parts("route", CODED)
    | _parts("frequency", CODED),
    "ordered_at",
)
REPORT = _table(
    "report",
    ("number", "encounter_id", "order_id"),
    _paths("order_number", "kind", "status", "modality", "issued_at", "findings", "conclusion")
    | _ITEM
    | _AUTHOR
    | _DOCTOR
    | _parts("specimen", CODED),
    "issued_at",
)
RESULT = _table(
    "result",
    ("report_id", "encounter_id", "category", "rank"),
    _paths("status", "value", "unit", "reference_range", "flag", "observed_at", value_number="number")
    | _ITEM
    | _paths("sub_id"),
    "observed_at",
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

PROCEDURE = _table(
    "procedure",
    ("number", "encounter_id", "order_id", "part_of_id"),
    _paths("kind", "status", "order_number", "part_of", "level", "incision", "note")
    | _paths(start_at="start", end_at="end")
    | _ITEM
    | _DEPARTMENT
    | _DOCTOR
    | _parts("site", CODED),
    "start_at",
)
ALLERGY = _table(
    "allergy",
    ("number", "encounter_id"),
    _paths("category", "criticality", "status", "reaction", "noted_at") | _ITEM | _AUTHOR,
    "noted_at",
)

TABLES = MappingProxyType(
    {
        t.name: t
        for t in (
            *(ENCOUNTER, DIAGNOSIS, ORDER, REPORT, RESULT, DOCUMENT),
            *(CHARGE, APPOINTMENT, PROCEDURE, ALLERGY),
        )
    }
)
