"""The kinds of records served: their search parameters, how they are found, how they are shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from bus.fhir.resources import (
    appointment,
    charge_item,
    diagnostic_report,
    document_reference,
    encounter,
    observation,
    service_request,
)
from bus.fhir.shapes import Resource, Row
from bus.fhir.systems import Systems
from consortium.records import query
from consortium.records.query import Page, Search

Show = Callable[[Connection, Sequence[Row], Systems], list[Resource]]


@dataclass(frozen=True, slots=True)
class Kind:
    """One resource type that is made of records."""

    name: str
    table: str
    find: Callable[[Connection, Search], Page]
    show: Show
    numbers: tuple[str, ...]
    """Kinds of numbers (`systems.ARCS`) that `identifier` finds."""
    statuses: Mapping[str, str]
    """Ours → FHIR's."""
    categories: Mapping[str, tuple[str, ...]]
    """FHIR's code in `category` (or `class`) → ours; empty: there is no such parameter."""
    category_parameter: str = "category"
    code_parameter: str = "code"
    default_categories: tuple[str, ...] = ()
    based_on: bool = False
    statuses_are_computed: bool = False
    """The status shown follows from other records too, and is filtered page by page."""


def _encounters(connection: Connection, rows: Sequence[Row], systems: Systems) -> list[Resource]:
    diagnoses: dict[object, list[Row]] = {}
    for row in query.diagnoses(connection, [row["id"] for row in rows]):
        diagnoses.setdefault(row["encounter_id"], []).append(row)
    return [encounter.encounter(row, systems, diagnoses.get(row["id"], ())) for row in rows]


def _reports(connection: Connection, rows: Sequence[Row], systems: Systems) -> list[Resource]:
    results: dict[object, list[Row]] = {}
    for row in query.results_of(connection, [row["id"] for row in rows]):
        results.setdefault(row["report_id"], []).append(row)
    ids = {report: [row["id"] for row in found] for report, found in results.items()}
    return [diagnostic_report.diagnostic_report(row, systems, ids.get(row["id"], ())) for row in rows]


def _each(make: Callable[[Row, Systems], Resource]) -> Show:
    return lambda _connection, rows, systems: [make(row, systems) for row in rows]


_REPORT_CATEGORIES = {"LAB": ("lab",)} | dict.fromkeys(
    sorted({*diagnostic_report.MODALITIES.values(), "RAD"}), ("exam",)
)

KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            name="Encounter",
            table="encounter",
            find=query.encounters,
            show=_encounters,
            numbers=("encounter",),
            statuses=encounter.STATUSES,
            categories={code: (ours,) for ours, (code, _) in encounter.CLASSES.items()}
            | {encounter.CHECKUP[0]: ("checkup",)},
            category_parameter="class",
            code_parameter="service-type",
        ),
        Kind(
            name="Observation",
            table="result",
            find=query.results,
            show=_each(observation.observation),
            numbers=("lab_report", "exam_report"),
            statuses=observation.STATUSES,
            categories={code: (ours,) for ours, (code, _) in observation.CATEGORIES.items()},
        ),
        Kind(
            name="DiagnosticReport",
            table="report",
            find=query.reports,
            show=_reports,
            numbers=("lab_report", "exam_report"),
            statuses=diagnostic_report.STATUSES,
            categories=_REPORT_CATEGORIES,
            based_on=True,
        ),
        Kind(
            name="ServiceRequest",
            table="order",
            find=query.orders,
            show=_each(service_request.service_request),
            numbers=("order", "filler"),
            statuses=service_request.STATUSES,
            categories={code: (ours,) for ours, (code, _) in service_request.CATEGORIES.items()},
            default_categories=service_request.KINDS,
        ),
        Kind(
            name="DocumentReference",
            table="document",
            find=query.documents,
            show=_each(document_reference.document_reference),
            numbers=("document",),
            statuses={"current": "current", "superseded": "superseded", "cancelled": "entered-in-error"},
            categories={},
            code_parameter="type",
            statuses_are_computed=True,
        ),
        Kind(
            name="Appointment",
            table="appointment",
            find=query.appointments,
            show=_each(appointment.appointment),
            numbers=("appointment",),
            statuses=appointment.STATUSES,
            categories={},
            code_parameter="service-type",
        ),
        Kind(
            name="ChargeItem",
            table="charge",
            find=query.charges,
            show=_each(charge_item.charge_item),
            numbers=("charge",),
            statuses={"billable": "billable"},
            categories={},
            statuses_are_computed=True,
        ),
    )
}
