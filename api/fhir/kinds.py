"""The kinds of records served: their search parameters, how they are found, how they are shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from bus.fhir.reading.keys import KINDS as NUMBERS
from bus.fhir.resources import (
    allergy_intolerance,
    appointment,
    charge_item,
    condition,
    diagnostic_report,
    document_reference,
    encounter,
    medication_request,
    observation,
    procedure,
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
    status_parameter: str = "status"
    date_parameters: tuple[str, ...] = ("date",)
    """R4's name of the clinical time first; `date` is understood for every kind."""
    default_categories: tuple[str, ...] = ()
    based_on: bool = False
    content: bool = False
    """Found by its text."""
    statuses_are_computed: bool = False
    """The status shown follows from other records too, and is filtered page by page."""


def _encounters(connection: Connection, rows: Sequence[Row], systems: Systems) -> list[Resource]:
    diagnoses: dict[object, list[Row]] = {}
    for row in query.diagnoses(connection, rows):
        diagnoses.setdefault(row["encounter_id"], []).append(row)
    return [encounter.encounter(row, systems, diagnoses.get(row["id"], ())) for row in rows]


def _reports(connection: Connection, rows: Sequence[Row], systems: Systems) -> list[Resource]:
    ids = query.result_ids_of(connection, rows)
    return [diagnostic_report.diagnostic_report(row, systems, ids.get(row["id"], ())) for row in rows]


def _each(make: Callable[[Row, Systems], Resource]) -> Show:
    return lambda _connection, rows, systems: [make(row, systems) for row in rows]


_OWN = tuple(diagnostic_report.KINDS)
_REPORT_CATEGORIES = (
    {"LAB": ("lab",)}
    | dict.fromkeys(sorted({*diagnostic_report.MODALITIES.values(), "RAD"}), ("exam",))
    | {
        section: tuple(kind for kind, (one, _) in diagnostic_report.KINDS.items() if one == section)
        for section in ("NRS", "OTH")
    }
    | {kind: (kind,) for kind in _OWN}
)
_RESULT_CATEGORIES = {"laboratory": ("lab",), "imaging": ("exam",), "exam": _OWN} | {
    kind: (kind,) for kind in _OWN
}
_ORDERS = ("order", "filler")

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
            numbers=NUMBERS["DiagnosticReport"],
            statuses=observation.STATUSES,
            categories=_RESULT_CATEGORIES,
        ),
        Kind(
            name="DiagnosticReport",
            table="report",
            find=query.reports,
            show=_reports,
            numbers=NUMBERS["DiagnosticReport"],
            statuses=diagnostic_report.STATUSES,
            categories=_REPORT_CATEGORIES,
            based_on=True,
        ),
        Kind(
            name="ServiceRequest",
            table="order",
            find=query.orders,
            show=_each(service_request.service_request),
            numbers=_ORDERS,
            statuses=service_request.STATUSES,
            categories={code: (ours,) for ours, (code, _) in service_request.CATEGORIES.items()},
            date_parameters=("authored", "date"),
            default_categories=service_request.KINDS,
        ),
        Kind(
            name="MedicationRequest",
            table="order",
            find=query.orders,
            show=_each(medication_request.medication_request),
            numbers=_ORDERS,
            statuses=medication_request.STATUSES,
            categories={},
            date_parameters=("authoredon", "date"),
            default_categories=("medication",),
        ),
        Kind(
            name="Procedure",
            table="procedure",
            find=query.procedures,
            show=_each(procedure.procedure),
            numbers=("procedure",),
            statuses=procedure.STATUSES,
            categories={code: (ours,) for ours, (code, _) in procedure.CATEGORIES.items()},
        ),
        Kind(
            name="Condition",
            table="diagnosis",
            find=query.conditions,
            show=_each(condition.condition),
            numbers=(),
            statuses={},
            categories={},
            date_parameters=("recorded-date", "date"),
        ),
        Kind(
            name="AllergyIntolerance",
            table="allergy",
            find=query.allergies,
            show=_each(allergy_intolerance.allergy_intolerance),
            numbers=("allergy",),
            statuses=allergy_intolerance.STATUSES,
            categories={name: (name,) for name in ("medication", "food", "environment", "biologic")},
            status_parameter="clinical-status",
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
            content=True,
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
            date_parameters=("occurrence", "date"),
            statuses_are_computed=True,
        ),
    )
}
