"""The form filled from the records for an outpatient or inpatient number, with where each part comes from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

import sqlalchemy as sa

from consortium.errors import PermanentError
from consortium.records import query
from consortium.records.query import Search
from consortium.referral.form import Form, KeyResult, Source

Row = dict[str, Any]
Kind = Literal["patient", "encounter", "diagnosis", "allergy", "order", "procedure", "report", "document"]
MOST = 50
"""Records of a kind that a form is filled from, the newest."""
_TEXT = 4000
"""Characters of a part that is put together."""
_PATIENT = sa.text(
    "SELECT p.id, p.number, p.name, p.sex, p.birth_date, p.phone, l.person_id FROM identity.source_patient p"
    " JOIN identity.link l ON l.source_patient_id = p.id WHERE p.id = :id"
)


class UnknownVisitError(PermanentError):
    """The hospital has no visit of that number."""

    code = "unknown_visit"
    field = "encounter"


@dataclass(frozen=True, slots=True)
class Filled:
    """What the records give."""

    patient_id: int | None = None
    form: Form = field(default_factory=Form)
    documents: tuple[UUID, ...] = ()
    """Those of the visit, to be attached by reference."""


@dataclass(frozen=True, slots=True)
class Chart:
    """The records that a form is filled from."""

    patient: Row
    visit: Row
    diagnoses: Sequence[Row]
    """Of the visit, by rank."""
    history: Sequence[Row]
    """Of other visits, the newest first."""
    allergies: Sequence[Row]
    medicines: Sequence[Row]
    procedures: Sequence[Row]
    reports: Sequence[Row]
    results: Sequence[Row]
    documents: Sequence[Row]


def fill(connection: sa.Connection, facility: str, number: str) -> Filled:
    """Fill a form for a visit of a hospital. Raises UnknownVisitError."""
    chart = _read(connection, facility, number)
    return Filled(chart.patient["id"], form_of(chart), tuple(row["id"] for row in chart.documents))


def form_of(chart: Chart) -> Form:
    """Return the form that a chart gives: pure."""
    patient, visit = chart.patient, chart.visit
    key = [row for row in chart.results if row["flag"] not in (None, "normal")]
    exams = [row for row in chart.reports if row["kind"] == "exam" and row["conclusion"]]
    active = [row for row in chart.allergies if row["status"] == "active"]
    treated = [*chart.procedures, *chart.medicines]
    return Form(
        name=patient["name"] or "",
        sex=patient["sex"],
        birth_date=patient["birth_date"],
        phone=patient["phone"] or "",
        allergies=tuple(_unique(_named(row, "item") for row in active)),
        history=_joined(_named(row, "") for row in chart.history),
        preliminary_diagnosis=_joined(_named(row, "") for row in chart.diagnoses),
        diagnosis_codes=tuple(_unique(row["code"] or "" for row in chart.diagnoses)),
        treatment=_joined(_named(row, "item") for row in treated),
        key_results=(*map(_value, key[:MOST]), *map(_conclusion, exams)),
        provenance={
            "name": (_source("patient", patient["number"], visit["facility"]),),
            "allergies": _sources("allergy", active),
            "history": _sources("diagnosis", chart.history),
            "preliminary_diagnosis": _sources("diagnosis", chart.diagnoses),
            "treatment": (*_sources("procedure", chart.procedures), *_sources("order", chart.medicines)),
            "key_results": (*_reports_of(key), *_sources("report", exams)),
        },
    )


def _read(connection: sa.Connection, facility: str, number: str) -> Chart:
    visits = query.encounters(connection, Search(numbers=(number,), facility=facility, limit=1)).rows
    if not visits:
        raise UnknownVisitError(f"{facility} has no outpatient or inpatient number like that; check it")
    visit = visits[0]
    patient = dict(connection.execute(_PATIENT, {"id": visit["patient_id"]}).mappings().one())
    person = patient["person_id"]
    there = Search(person=person, patients=query.patients_of(connection, person), limit=MOST)
    here = Search(person=person, patients=there.patients, encounter=visit["id"], limit=MOST)
    reports = query.reports(connection, here).rows
    conditions = query.conditions(connection, there).rows
    orders = query.orders(connection, here).rows
    return Chart(
        patient=patient,
        visit=visit,
        diagnoses=query.diagnoses(connection, [visit]),
        history=[row for row in conditions if row["encounter_id"] != visit["id"]],
        allergies=query.allergies(connection, there).rows,
        medicines=[row for row in orders if row["kind"] == "medication" and row["status"] != "cancelled"],
        procedures=query.procedures(connection, here).rows,
        reports=reports,
        results=query.results_of(connection, reports),
        documents=query.documents(connection, here).rows,
    )


def _named(row: Row, what: str) -> str:
    prefix = f"{what}_" if what else ""
    return str(row[f"{prefix}name"] or row[f"{prefix}code"] or "")


def _unique(words: Iterable[str]) -> list[str]:
    return [word[:200] for word in dict.fromkeys(words) if word]


def _joined(words: Iterable[str]) -> str:
    return "；".join(_unique(words))[:_TEXT]


def _value(row: Row) -> KeyResult:
    return KeyResult(
        report_id=row["report_id"],
        name=_named(row, "item")[:200],
        value=row["value"] or "",
        unit=row["unit"] or "",
        flag=row["flag"] or "",
        at=row["at"],
    )


def _conclusion(row: Row) -> KeyResult:
    return KeyResult(
        report_id=row["id"], name=_named(row, "item")[:200], value=row["conclusion"][:_TEXT], at=row["at"]
    )


def _source(kind: Kind, id_: object, facility: str) -> Source:
    return Source(kind=kind, id=str(id_), facility=facility)


def _sources(kind: Kind, rows: Sequence[Row]) -> tuple[Source, ...]:
    return tuple(_source(kind, row["id"], row["facility"]) for row in rows)


def _reports_of(results: Sequence[Row]) -> tuple[Source, ...]:
    reports = {row["report_id"]: row["facility"] for row in results}
    return tuple(_source("report", id_, facility) for id_, facility in reports.items())
