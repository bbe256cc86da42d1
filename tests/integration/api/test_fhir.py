"""The FHIR face over real records: search, read, paging, refusals, audit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from fhir.resources.R4B import get_fhir_model_class

from api.app import create_app
from consortium.access import audit
from tests.integration.api.conftest import As, Chart, connected, settings_for
from tests.integration.api.records import DOCUMENT, ID_CARD, NUMBERS

CARD = f"urn:oid:2.16.156.10011.1.3|{ID_CARD}"
RECORDS = ("Encounter", "Observation", "DiagnosticReport", "ServiceRequest", "DocumentReference")
SYSTEMS = {
    "MAIN": "urn:oid:1.2.156.10011.99.1",
    "HP": "urn:oid:1.2.156.10011.99.2",
    "HY": "urn:oid:1.2.156.10011.99.3",
}
UNBOUND = """INSERT INTO access.account (username, display_name, role, organisation, password_hash)
VALUES ('patient.unbound', '某人', 'patient', 'GROUP', '-') ON CONFLICT DO NOTHING"""
Json = dict[str, Any]


@pytest.fixture
def app(chart: Chart) -> Iterator[FastAPI]:
    application = create_app(settings_for(chart.url))
    yield application
    application.state.platform.engine.dispose()


@pytest.fixture
def engine(chart: Chart) -> sa.Engine:
    return connected(chart.url)


@pytest.fixture
def wang(chart: Chart) -> UUID:
    return chart.wang


@pytest.fixture
def li(chart: Chart) -> UUID:
    return chart.li


class Doctor:
    """A doctor of Huangpu at the FHIR face."""

    def __init__(self, client: httpx.AsyncClient, headers: dict[str, str]) -> None:
        self.client, self.headers = client, headers

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.client.get(f"/fhir/{path}", headers=self.headers | headers)

    async def search(self, path: str) -> Json:
        answer = await self.get(path)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/fhir+json"
        return valid(answer.json())

    async def found(self, path: str) -> list[Json]:
        return [entry["resource"] for entry in (await self.search(path)).get("entry", [])]


def valid(resource: Json) -> Json:
    """Check against R4B's definitions, which are R4's for what is used here (see test_r4)."""
    get_fhir_model_class(resource["resourceType"]).model_validate(resource)
    return resource


@pytest.fixture
def doctor(client: httpx.AsyncClient, as_: As) -> Doctor:
    return Doctor(client, as_("doctor.huangpu"))


async def test_a_person_known_at_three_campuses_is_found_by_id_card(
    doctor: Doctor, wang: UUID, li: UUID
) -> None:
    [patient] = await doctor.found(f"Patient?identifier={CARD}")
    assert patient["id"] == str(wang)
    assert patient["name"] == [{"use": "official", "text": "王珅"}]
    numbers = {one["system"]: one["value"] for one in patient["identifier"] if one["use"] == "usual"}
    assert numbers == {SYSTEMS[campus]: number for campus, number in NUMBERS.items()}
    for kind in RECORDS:
        resources = await doctor.found(f"{kind}?patient={wang}")
        assert {origin(resource) for resource in resources} == set(NUMBERS), kind
        assert {resource["subject"]["reference"] for resource in resources} == {f"Patient/{wang}"}


def origin(resource: Json) -> str:
    """The campus a resource comes from, by its identifiers or whoever performed it."""
    text = str(resource.get("performer") or resource.get("identifier") or resource.get("masterIdentifier"))
    [campus] = [code for code in NUMBERS if f"'{code}'" in text or f"{SYSTEMS[code]}." in text]
    return campus


@pytest.mark.parametrize(
    ("search", "finds"),
    [
        (f"identifier={ID_CARD}", True),
        (f"identifier={ID_CARD.lower()}", True),
        ("identifier=urn:oid:1.2.156.10011.99.2|HP-1", True),
        ("identifier=urn:oid:1.2.156.10011.99.1|HP-1", False),
        ("identifier=HP-1", True),
        ("identifier=urn:oid:9.9|HP-1", False),
        ("name=王", True),
        ("name=王珅", True),
        ("name:exact=王", False),
        ("name:contains=珅", True),
        ("birthdate=1949-12-31", True),
        ("birthdate=1949", True),
        ("birthdate=ge1949-12-31&birthdate=lt1950", True),
        ("birthdate=gt1949-12-31&birthdate=lt1950", False),
        ("birthdate=lt1949-12-31", False),
        ("name=王&birthdate=1949-12&gender=male&phone=13800138000", True),
        ("name=王&gender=female", False),
        ("_id=not-an-id", False),
    ],
)
async def test_patients_are_found_by(doctor: Doctor, wang: UUID, li: UUID, search: str, finds: bool) -> None:
    found = [patient["id"] for patient in await doctor.found(f"Patient?{search}")]
    assert found == ([str(wang)] if finds else [])


@pytest.mark.parametrize(
    ("search", "count"),
    [
        ("Observation?patient={wang}", 6),
        ("Observation?subject=Patient/{wang}", 6),
        ("Observation?patient.identifier=" + CARD, 6),
        ("Observation?patient={wang}&code=http://loinc.org|2823-3", 3),
        ("Observation?patient={wang}&code=2823-3,718-7", 3),
        ("Observation?patient={wang}&code=urn:oid:1.2.156.10011.99.2.9|培养", 1),
        ("Observation?patient={wang}&category=laboratory", 6),
        ("Observation?patient={wang}&category=imaging", 0),
        ("Observation?patient={wang}&status=final", 6),
        ("Observation?patient={wang}&status=preliminary", 0),
        ("Observation?patient={wang}&date=2026-11-20", 6),
        ("Observation?patient={wang}&date=ge2026-11-20T01:00:00Z", 4),
        ("Observation?patient={wang}&date=ge2026-11-20T01:00:00Z&date=lt2026-11-20T02:00:00Z", 2),
        ("Observation?patient={wang}&date=lt2026-11-20", 0),
        ("Observation?patient={wang}&_lastUpdated=ge2026-01-01", 6),
        ("Observation?patient={wang}&_lastUpdated=gt2126", 0),
        ("Observation?patient=" + str(UUID(int=5)), 0),
        ("DiagnosticReport?patient={wang}", 6),
        ("DiagnosticReport?patient={wang}&category=LAB", 3),
        ("DiagnosticReport?patient={wang}&category=CT", 3),
        ("DiagnosticReport?identifier=urn:oid:1.2.156.10011.99.3.5|E-HY", 1),
        ("DiagnosticReport?identifier=E-HY", 1),
        ("ServiceRequest?patient={wang}&status=active", 3),
        ("ServiceRequest?identifier=O-MAIN", 1),
        ("ServiceRequest?patient={wang}&identifier=F-MAIN", 1),
        ("Encounter?patient={wang}&class=IMP", 3),
        ("Encounter?patient={wang}&class=AMB", 0),
        ("Encounter?patient={wang}&status=in-progress&service-type=0101", 3),
        ("Encounter?patient={wang}&date=2026-11-19", 1),
        ("DocumentReference?patient={wang}&status=current&type=http://loinc.org|18842-5", 3),
        ("DocumentReference?patient={wang}&status=superseded", 0),
    ],
)
async def test_records_are_found_by(doctor: Doctor, wang: UUID, li: UUID, search: str, count: int) -> None:
    assert len(await doctor.found(search.format(wang=wang))) == count


async def test_records_of_a_visit_and_reports_of_an_order_are_found(doctor: Doctor, wang: UUID) -> None:
    [visit] = await doctor.found("Encounter?identifier=V-HP")
    [order] = await doctor.found("ServiceRequest?identifier=O-HP")
    assert len(await doctor.found(f"Observation?patient={wang}&encounter=Encounter/{visit['id']}")) == 2
    [report] = await doctor.found(f"DiagnosticReport?patient={wang}&based-on=ServiceRequest/{order['id']}")
    assert report["basedOn"] == [{"reference": f"ServiceRequest/{order['id']}"}]
    assert len(report["result"]) == 2


async def test_every_resource_that_is_found_can_be_read_and_is_the_same(doctor: Doctor, wang: UUID) -> None:
    for kind in ("Patient", *RECORDS):
        scope = f"_id={wang}" if kind == "Patient" else f"patient={wang}"
        for resource in await doctor.found(f"{kind}?{scope}"):
            answer = await doctor.get(f"{kind}/{resource['id']}")
            assert valid(answer.json()) == resource
            if kind != "Patient":
                assert answer.headers["ETag"] == 'W/"1"'


async def test_values_come_out_as_they_went_in(doctor: Doctor, wang: UUID) -> None:
    answer = await doctor.get(f"Observation?patient={wang}&code=2823-3&_count=1")
    assert '"value":6.80' in answer.text, "the decimals given are kept"
    [potassium] = [entry["resource"] for entry in answer.json()["entry"]]
    assert potassium["interpretation"][0]["coding"][0]["code"] == "HH"
    assert potassium["effectiveDateTime"] == "2026-11-20T10:30:00+08:00"
    [culture] = await doctor.found(f"Observation?patient={wang}&code=培养&_count=1")
    assert culture["valueString"] == "未检出"


async def test_pages_follow_one_another_without_gap_or_repeat(doctor: Doctor, wang: UUID, li: UUID) -> None:
    for search, total in (
        (f"Observation?patient={wang}&_count=4&_total=accurate", 6),
        ("Patient?_count=1&_total=accurate", 2),
    ):
        seen: list[str] = []
        url: str | None = search
        while url:
            page = await doctor.search(url)
            assert page["total"] == total
            links = {link["relation"]: link["url"] for link in page["link"]}
            assert links["self"].startswith("http://yilian.test/fhir/")
            seen += [entry["resource"]["id"] for entry in page["entry"]]
            url = links["next"].removeprefix("http://yilian.test/fhir/") if "next" in links else None
        assert len(seen) == len(set(seen)) == total


async def test_a_count_shows_no_resources(doctor: Doctor, wang: UUID, li: UUID) -> None:
    for search in (f"Observation?patient={wang}&_summary=count", f"Observation?patient={wang}&_count=0"):
        page = await doctor.search(search)
        assert (page["total"], "entry" in page) == (6, False)
    assert (await doctor.search("Patient?_summary=count"))["total"] == 2


async def test_an_unknown_parameter_is_ignored_and_not_in_the_self_link(doctor: Doctor, wang: UUID) -> None:
    page = await doctor.search(f"Observation?patient={wang}&colour=red")
    assert page["link"][0]["url"] == f"http://yilian.test/fhir/Observation?patient={wang}"
    strict = await doctor.get(f"Observation?patient={wang}&colour=red", Prefer="handling=strict")
    assert strict.status_code == 400
    assert "colour" in valid(strict.json())["issue"][1]["details"]["text"]


async def test_a_search_in_a_form_is_the_same(doctor: Doctor, wang: UUID) -> None:
    answer = await doctor.client.post(
        "/fhir/Patient/_search", data={"identifier": CARD}, headers=doctor.headers
    )
    assert [entry["resource"]["id"] for entry in answer.json()["entry"]] == [str(wang)]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("Observation", 400, "invalid"),
        ("Observation?code=2823-3", 400, "invalid"),
        ("Observation?patient={wang}&date=yesterday", 400, "invalid"),
        ("Observation?patient={wang}&date=2026-02-30", 400, "invalid"),
        ("Observation?patient={wang}&date=ne2026", 400, "invalid"),
        ("Observation?patient={wang}&_page=abc", 400, "invalid"),
        ("Observation?patient={wang}&code:not=1", 400, "invalid"),
        ("Observation?patient=Practitioner/1", 400, "invalid"),
        ("Patient?_page=abc", 400, "invalid"),
        ("Patient?_count=many", 400, "invalid"),
        ("Patient?_format=xml", 406, "not-supported"),
        ("Patient/nobody", 404, "not-found"),
        (f"Patient/{UUID(int=9)}", 404, "not-found"),
        (f"Observation/{UUID(int=9)}", 404, "not-found"),
        ("Medication", 404, "not-found"),
    ],
)
async def test_what_cannot_be_answered_is_an_operation_outcome(
    doctor: Doctor, wang: UUID, path: str, status: int, code: str
) -> None:
    answer = await doctor.get(path.format(wang=wang))
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/fhir+json"
    outcome = valid(answer.json())
    assert outcome["issue"][0]["code"] == code
    assert answer.headers["X-Request-Id"] in outcome["issue"][0]["diagnostics"]


async def test_who_has_not_signed_in_gets_an_operation_outcome(client: httpx.AsyncClient, wang: UUID) -> None:
    answer = await client.get(f"/fhir/Patient/{wang}")
    assert (answer.status_code, valid(answer.json())["issue"][0]["code"]) == (401, "login")


async def test_only_json_is_served(doctor: Doctor) -> None:
    assert (await doctor.get("metadata", Accept="application/fhir+xml")).status_code == 406


async def test_a_document_is_given_byte_for_byte_and_as_a_binary(doctor: Doctor, wang: UUID) -> None:
    [reference] = await doctor.found("DocumentReference?identifier=DOC-HP")
    url = reference["content"][0]["attachment"]["url"]
    raw = await doctor.get(url)
    assert (raw.content, raw.headers["content-type"]) == (DOCUMENT, "text/plain; charset=gb18030")
    assert "sandbox" in raw.headers["Content-Security-Policy"]
    binary = valid((await doctor.get(url, Accept="application/fhir+json")).json())
    assert binary["contentType"] == "text/plain; charset=gb18030"


async def test_the_capability_statement_names_what_is_served(doctor: Doctor) -> None:
    statement = await doctor.search("metadata")
    served = {resource["type"] for resource in statement["rest"][0]["resource"]}
    assert served == {
        "Patient",
        *RECORDS,
        "Appointment",
        "ChargeItem",
        *("MedicationRequest", "Procedure", "Condition", "AllergyIntolerance"),
        "Binary",
        "ConceptMap",
        "CodeSystem",
        "ValueSet",
        "Schedule",
        "Slot",
        "Task",
        "Communication",
    }
    assert statement["fhirVersion"] == "4.0.1"


async def test_a_patient_sees_themself_and_nobody_else(
    client: httpx.AsyncClient, as_: As, wang: UUID, li: UUID
) -> None:
    me = Doctor(client, as_("patient.demo"))
    assert [patient["id"] for patient in await me.found("Patient")] == [str(wang)]
    assert await me.found(f"Patient?_id={li}") == []
    assert len(await me.found("Observation")) == 6
    assert len(await me.found("Observation?identifier=L-M2")) == 0
    for path in (f"Patient/{li}", f"Observation?patient={li}"):
        refused = await me.get(path)
        assert (refused.status_code, valid(refused.json())["issue"][0]["code"]) == (403, "forbidden")
    [other] = await Doctor(client, as_("doctor.main")).found("DiagnosticReport?identifier=L-M2")
    assert (await me.get(f"DiagnosticReport/{other['id']}")).status_code == 403


async def test_a_patient_who_is_not_bound_to_a_person_sees_nothing(
    client: httpx.AsyncClient, engine: sa.Engine, as_: As, wang: UUID
) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text(UNBOUND))
    answer = await client.get("/fhir/Patient", headers=as_("patient.unbound"))
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "user", ["engineer", "ops", "admin", "manager.group", "manager.huangpu", "system.huangpu"]
)
async def test_who_does_not_treat_sees_no_patient(
    client: httpx.AsyncClient, as_: As, wang: UUID, user: str
) -> None:
    for path in (f"Patient/{wang}", f"Observation?patient={wang}"):
        assert (await client.get(f"/fhir/{path}", headers=as_(user))).status_code == 403
    # a program that was given the permission asks who a patient is, and reads no record (PDQm)
    listed = (await client.get("/fhir/Patient", headers=as_(user))).status_code
    assert listed == (200 if user == "system.huangpu" else 403)


async def test_a_doctor_who_states_another_purpose_is_refused(doctor: Doctor, wang: UUID) -> None:
    refused = await doctor.get(f"Patient/{wang}", **{"X-Purpose-Of-Use": "operations"})
    assert refused.status_code == 403
    unknown = await doctor.get(f"Patient/{wang}", **{"X-Purpose-Of-Use": "curiosity"})
    assert unknown.status_code == 400


async def test_every_person_shown_is_in_the_audit(
    doctor: Doctor, engine: sa.Engine, wang: UUID, li: UUID
) -> None:
    request = str(uuid4())
    await doctor.get("Patient", **{"X-Request-Id": request})
    await doctor.get(f"Observation?patient={wang}")
    await doctor.get(f"Patient/{li}")
    with engine.connect() as connection:
        read, searched, listed = audit.entries(connection, limit=3)
    assert set(listed.entry.persons) == {wang, li}
    assert (listed.entry.request_id, listed.entry.outcome) == (request, "allowed")
    assert (searched.entry.persons, searched.entry.action, searched.entry.purpose) == (
        [wang],
        "record.read",
        "treatment",
    )
    assert (read.entry.persons, read.entry.resource) == ([li], "GET /fhir/Patient/{id}")
    assert "王" not in str([read, searched, listed])
