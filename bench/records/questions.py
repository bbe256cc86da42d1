"""What is asked of the store, and the control of each: the same patient's rows by bare SQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import psycopg
from lxml import etree

from adapters.ihe import envelope
from adapters.ihe.mtom import Parts
from bench.records.sharing import CONSORTIUM
from bus.ihe.ebrim import query
from consortium.documents.asking import QueryId, Return, StoredQuery
from consortium.documents.model import Availability, PatientId

KINDS_OF_RECORDS = (
    *("encounter", "result", "report", "order", "procedure", "diagnosis"),
    *("allergy", "document", "appointment", "charge"),
)
PAGE = 50
_FIND = "urn:ihe:iti:2007:RegistryStoredQuery"


@dataclass(frozen=True, slots=True)
class Subject:
    """A person of the store, and one of their visits with a laboratory report."""

    person: UUID
    patients: Sequence[int]
    """All their numbers at campuses."""
    at: datetime
    visit: str
    encounter: UUID
    accession: str
    report: UUID

    def around(self) -> tuple[datetime, datetime]:
        """Return the month about the visit."""
        return self.at - timedelta(days=15), self.at + timedelta(days=15)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of a person about a subject."""

    path: str
    parameters: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """One kind of request, and the statements that fetch the same rows."""

    ask: Callable[[Subject], Asked]
    control: Sequence[str]
    """SQL with the parameters `patients`, `since`, `before`, `accession`, `visit`, `report`, `page`."""


SUBJECTS = """
SELECT l.person_id,
       (SELECT array_agg(source_patient_id) FROM identity.link o WHERE o.person_id = l.person_id),
       r.at, e.number, e.id, r.number, r.id
  FROM records.business_key b
  JOIN records.report r ON r.id = b.id AND r.patient_id = b.patient_id
  JOIN records.encounter e ON e.id = r.encounter_id AND e.patient_id = r.patient_id
  JOIN identity.link l ON l.source_patient_id = r.patient_id
 WHERE b.number = ANY(%(numbers)s) AND b.kind = 'lab_report'
"""


def subjects(connection: psycopg.Connection[Any], visits: Sequence[int]) -> list[Subject]:
    """Return the subjects of those of the visits that have a laboratory report, one a person."""
    numbers = [f"R{visit}-1" for visit in visits]
    rows = connection.execute(SUBJECTS.encode(), {"numbers": numbers}).fetchall()
    return list({row[0]: Subject(*row) for row in rows}.values())


def _of(kind: str, *more: tuple[str, str]) -> Callable[[Subject], Asked]:
    return lambda one: Asked(f"/fhir/{kind}", (("patient", str(one.person)), *more))


def _in_month(kind: str, *more: tuple[str, str], name: str = "date") -> Callable[[Subject], Asked]:
    def ask(one: Subject) -> Asked:
        since, before = (f"{time:%Y-%m-%d}" for time in one.around())
        months = ((name, f"ge{since}"), (name, f"lt{before}"))
        return Asked(f"/fhir/{kind}", (("patient", str(one.person)), *more, *months))

    return ask


def _rows(kind: str, more: str = "", column: str = "at DESC") -> str:
    return (
        f'SELECT * FROM records."{kind}" WHERE patient_id = ANY(%(patients)s) AND NOT deleted {more}'  # noqa: S608 - literals
        f" ORDER BY {column}, id LIMIT %(page)s"
    )


_PERSON = "SELECT * FROM identity.person WHERE id = %(person)s"
_MONTH = "AND at >= %(since)s AND at < %(before)s"
_RESULTS = (
    "SELECT * FROM records.result WHERE patient_id = ANY(%(patients)s) AND report_id IN (SELECT id FROM"  # noqa: S608
    f" records.report WHERE patient_id = ANY(%(patients)s) AND kind = 'lab' {_MONTH})"
)
_NUMBERED = (
    "SELECT t.* FROM records.business_key b JOIN records.{0} t ON t.id = b.id AND t.patient_id = b.patient_id"
    " WHERE b.number = %({1})s AND b.kind = '{2}'"
)

QUESTIONS: dict[str, Question] = {
    "$everything": Question(
        lambda one: Asked(f"/fhir/Patient/{one.person}/$everything"),
        (_PERSON, *map(_rows, KINDS_OF_RECORDS[:2])),
    ),
    "$everything of a month": Question(
        lambda one: Asked(
            f"/fhir/Patient/{one.person}/$everything",
            (
                *zip(("start", "end"), (f"{time:%Y-%m-%d}" for time in one.around()), strict=True),
                ("_count", "200"),
            ),
        ),
        (_PERSON, *(_rows(kind, _MONTH) for kind in KINDS_OF_RECORDS)),
    ),
    "Observation: patient, category, date": Question(
        _in_month("Observation", ("category", "laboratory")),
        (_rows("result", f"AND category = 'lab' {_MONTH}"),),
    ),
    "Observation: patient, code, _sort": Question(
        _of("Observation", ("code", "http://loinc.org|6690-2"), ("_sort", "date")),
        (_rows("result", "AND item_code = '6690-2'", "at"),),
    ),
    "Observation: identifier": Question(
        lambda one: Asked("/fhir/Observation", (("identifier", one.accession),)),
        (
            _NUMBERED.format("report", "accession", "lab_report"),
            "SELECT * FROM records.result WHERE report_id = %(report)s AND patient_id = ANY(%(patients)s)",
        ),
    ),
    "DiagnosticReport: patient, category, date, _include": Question(
        _in_month("DiagnosticReport", ("category", "LAB"), ("_include", "DiagnosticReport:result")),
        (_rows("report", f"AND kind = 'lab' {_MONTH}"), _RESULTS),
    ),
    "DiagnosticReport: patient": Question(
        _of("DiagnosticReport"),
        (
            _rows("report"),
            "SELECT id, report_id FROM records.result WHERE patient_id = ANY(%(patients)s) AND report_id IN"
            " (SELECT id FROM records.report WHERE patient_id = ANY(%(patients)s)"
            " ORDER BY at DESC, id LIMIT %(page)s)",
        ),
    ),
    "DiagnosticReport: accession": Question(
        lambda one: Asked("/fhir/DiagnosticReport", (("identifier", one.accession),)),
        (
            _NUMBERED.format("report", "accession", "lab_report"),
            "SELECT id FROM records.result WHERE report_id = %(report)s AND patient_id = ANY(%(patients)s)",
        ),
    ),
    "DiagnosticReport: read": Question(
        lambda one: Asked(f"/fhir/DiagnosticReport/{one.report}"),
        (
            "SELECT * FROM records.report WHERE id = %(report)s AND patient_id = ANY(%(patients)s)",
            "SELECT id FROM records.result WHERE report_id = %(report)s AND patient_id = ANY(%(patients)s)",
        ),
    ),
    "Encounter: identifier, _revinclude": Question(
        lambda one: Asked(
            "/fhir/Encounter", (("identifier", one.visit), ("_revinclude", "Condition:encounter"))
        ),
        (
            _NUMBERED.format("encounter", "visit", "encounter"),
            _rows("diagnosis", "AND encounter_id = %(encounter)s"),
        ),
    ),
    "Encounter: patient, date, _include": Question(
        _in_month("Encounter", ("_include", "Encounter:patient")), (_rows("encounter", _MONTH), _PERSON)
    ),
    "MedicationRequest: patient, _lastUpdated": Question(
        _in_month("MedicationRequest", ("_sort", "-_lastUpdated"), name="_lastUpdated"),
        (_rows("order", "AND kind = 'medication' AND changed_at >= %(since)s AND changed_at < %(before)s"),),
    ),
    "DocumentReference: patient": Question(_of("DocumentReference"), (_rows("document"),)),
    "Patient: identifier": Question(
        lambda one: Asked("/fhir/Patient", (("identifier", f"P{one.patients[0]:09d}"),)), (_PERSON,)
    ),
    "FindDocuments": Question(
        lambda one: Asked("/xds/registry", (("patient", str(one.person)),)),
        (
            "SELECT * FROM documents.entry WHERE patient_id = ANY(%(patients)s) AND status = 'approved'",
            "SELECT * FROM records.document WHERE patient_id = ANY(%(patients)s) AND NOT deleted",
        ),
    ),
}


def send(client: httpx.Client, asked: Asked) -> httpx.Response:
    """Send a request: a search over FHIR, a stored query over SOAP. Raises httpx.HTTPStatusError."""
    if not asked.path.startswith("/xds/"):
        return client.get(asked.path, params=list(asked.parameters)).raise_for_status()
    url = str(client.base_url.join(asked.path))
    wanted = {
        "$XDSDocumentEntryPatientId": ((str(PatientId(dict(asked.parameters)["patient"], CONSORTIUM)),),),
        "$XDSDocumentEntryStatus": ((Availability.APPROVED.value,),),
    }
    payload: etree._Element = query.write(StoredQuery(QueryId.FIND_DOCUMENTS, wanted, Return.LEAF_CLASS))
    body, content_type = Parts(mtom=False).pack(envelope.written(payload, _FIND, to=url), _FIND)
    return client.post(url, content=body, headers={"Content-Type": content_type}).raise_for_status()


def fetch(connection: psycopg.Connection[Any], question: Question, one: Subject) -> int:
    """Fetch the same rows by bare SQL; return how many."""
    since, before = one.around()
    given = {
        "person": one.person,
        "patients": list(one.patients),
        "since": since,
        "before": before,
        "visit": one.visit,
        "encounter": one.encounter,
        "accession": one.accession,
        "report": one.report,
        "page": PAGE,
    }
    return sum(len(connection.execute(text.encode(), given).fetchall()) for text in question.control)
