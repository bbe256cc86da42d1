"""Writing over FHIR: committed before the answer, all or nothing, of the caller's own campus alone."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.routing import APIRoute
from fhir.resources.R4B import get_fhir_model_class

from adapters.via import pseudonym
from api.encoding import encode
from bus.fhir.sending import bundle as bundle_of
from bus.fhir.systems import Systems
from bus.held import NotHeldError
from bus.replay.ledger import Who
from bus.replay.one import replay
from consortium.access import audit
from consortium.records import known
from consortium.records.keys import record_id
from consortium.records.model import Change, Kind, Report
from runtime.settings import Settings
from tests.changes import PROVENANCE
from tests.fhir_requests import (
    HP,
    MAIN,
    RESULT,
    about,
    bundle,
    charge,
    document,
    entry,
    numbered,
    order,
    patient,
    potassium,
    report,
    visit,
    whole_day,
)
from tests.integration.api.conftest import As

Json = dict[str, Any]
CARD = "11010519491231002X"


class Program:
    """A campus's program at the FHIR face, and a doctor who looks at what it wrote."""

    def __init__(self, client: httpx.AsyncClient, as_: As) -> None:
        self.client = client
        self.program, self.doctor = as_("system.huangpu"), as_("doctor.huangpu")

    async def send(self, method: str, path: str, resource: Any, **headers: str) -> httpx.Response:
        content = resource if isinstance(resource, bytes) else encode(resource)
        more = {
            "Content-Type": "application/fhir+json",
            **{k.replace("_", "-"): v for k, v in headers.items()},
        }
        return await self.client.request(method, f"/fhir{path}", content=content, headers=self.program | more)

    async def post(self, resource: Json, **headers: str) -> httpx.Response:
        kind = resource["resourceType"]
        return await self.send("POST", "" if kind == "Bundle" else f"/{kind}", resource, **headers)

    async def put(self, resource: Json, **headers: str) -> httpx.Response:
        return await self.send("PUT", f"/{resource['resourceType']}/{resource['id']}", resource, **headers)

    async def found(self, path: str) -> list[Json]:
        answer = await self.client.get(f"/fhir/{path}", headers=self.doctor)
        assert answer.status_code == 200, answer.text
        return [one["resource"] for one in valid(answer.json()).get("entry", [])]


def valid(resource: Json) -> Json:
    get_fhir_model_class(resource["resourceType"]).model_validate(resource)
    return resource


def issues(answer: httpx.Response) -> list[tuple[str, str]]:
    """(code, expression) of an OperationOutcome."""
    assert answer.headers["content-type"] == "application/fhir+json"
    return [(one["code"], one["expression"][0]) for one in valid(answer.json())["issue"]]


@pytest.fixture
def program(client: httpx.AsyncClient, as_: As) -> Program:
    return Program(client, as_)


def rows(engine: sa.Engine, query: str) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(sa.text(query)).all())


def mount(folder: Path, name: str) -> None:
    """Give a disk another place."""
    folder.rename(folder.with_name(name))


def counts(engine: sa.Engine) -> dict[str, int]:
    """Everything a write may leave behind."""
    tables = ("bus.inbox", "bus.work", "bus.outbox", "identity.source_patient", "records.business_key")
    return {
        table: rows(engine, f"SELECT count(*) FROM {table}")[0][0]  # noqa: S608 - constants
        for table in tables
    }


async def test_a_transaction_is_visible_when_it_is_answered(program: Program, engine: sa.Engine) -> None:
    answer = await program.post(whole_day())
    assert answer.status_code == 200, answer.text
    response = valid(answer.json())
    assert response["type"] == "transaction-response"
    statuses = [one["response"]["status"] for one in response["entry"]]
    assert statuses == [*["201 Created"] * 4, "200 OK", *["201 Created"] * 3]
    where = response["entry"][0]["response"]["location"]
    person = where.rsplit("/", 1)[1]
    [known] = await program.found(f"Patient?identifier={HP}|HP-7")
    assert (known["id"], known["name"][0]["text"]) == (person, "欧阳珅")
    kinds = ("Encounter", "ServiceRequest", "DiagnosticReport", "Observation", "DocumentReference")
    for kind in (*kinds, "Appointment", "ChargeItem"):
        assert len(await program.found(f"{kind}?patient={person}")) == 1, kind
    [result] = await program.found(f"Observation?patient={person}")
    assert result["interpretation"][0]["coding"][0]["code"] == "HH"
    assert rows(engine, "SELECT payload->>'event' FROM bus.outbox") == [("critical_value",)]
    assert rows(engine, "SELECT facility, message_type, protocol, patient_number FROM bus.inbox") == [
        ("HP", "fhir:transaction", "fhir", "HP-7")
    ]
    assert rows(engine, "SELECT count(*) FROM bus.work") == [(0,)], "its effects are committed"
    assert sorted(rows(engine, "SELECT step FROM bus.trace")) == [("event",), ("recorded",)]


async def test_the_same_again_changes_nothing(program: Program, engine: sa.Engine) -> None:
    await program.post(whole_day())
    versions = 'SELECT id, version FROM records."order" UNION ALL SELECT id, version FROM records.report'
    before = rows(engine, versions)
    again = await program.post(whole_day())
    assert {one["response"]["status"] for one in again.json()["entry"]} == {"200 OK"}
    assert rows(engine, versions) == before
    assert rows(engine, "SELECT count(*) FROM records.history") == [(0,)]


async def test_an_idempotency_key_makes_one_message_of_two(program: Program, engine: sa.Engine) -> None:
    first = await program.post(whole_day(), Idempotency_Key="K1")
    again = await program.post(whole_day(), Idempotency_Key="K1")
    assert (first.status_code, again.status_code) == (200, 200)
    assert counts(engine)["bus.inbox"] == 1
    other = await program.post(bundle(entry(charge())), Idempotency_Key="K1")
    assert other.status_code == 409
    assert issues(other) == [("conflict", "Bundle.entry[0].resource")]
    assert counts(engine)["bus.inbox"] == 1
    assert rows(engine, "SELECT code FROM bus.refusal") == [("fhir_conflict",)]
    assert await program.found("ChargeItem?identifier=F-7") != []


async def test_what_we_sent_ourselves_is_refused_and_kept(program: Program, engine: sa.Engine) -> None:
    before = counts(engine)
    ours = f"1.1 {pseudonym(Settings().consortium_oid)}"
    answer = await program.post(whole_day(), Via=f"1.1 edge, {ours}")
    assert (answer.status_code, issues(answer)) == (508, [("processing", "Resource")])
    assert counts(engine) == before
    assert rows(engine, "SELECT code FROM bus.refusal") == [("fhir_processing",)]
    assert (await program.post(whole_day(), Via="1.1 edge")).status_code == 200


async def test_a_transaction_with_one_mistake_leaves_nothing(program: Program, engine: sa.Engine) -> None:
    before = counts(engine)
    wrong = whole_day()
    wrong["entry"][2]["resource"]["status"] = "on-hold"
    wrong["entry"][4]["resource"]["interpretation"][0]["coding"][0]["code"] = "危"
    answer = await program.post(wrong)
    assert answer.status_code == 422
    assert issues(answer) == [
        ("code-invalid", "Bundle.entry[2].resource.status"),
        ("code-invalid", "Bundle.entry[4].resource.interpretation"),
    ]
    assert "危" not in answer.text, "what was sent is not repeated"
    assert counts(engine) == before
    [(code, size, kept)] = rows(engine, "SELECT code, size, body FROM bus.refusal")
    assert (code, size, kept) == ("fhir_code_invalid", len(encode(wrong)), encode(wrong))


async def test_a_number_of_another_patient_rolls_all_back(program: Program, engine: sa.Engine) -> None:
    await program.post(whole_day())
    before = counts(engine)
    stranger = about("HP-8")
    answer = await program.post(
        bundle(entry(patient("HP-8")), entry(visit("V-8", stranger)), entry(charge("F-7", stranger)))
    )
    assert answer.status_code == 409
    assert "another patient" in answer.text
    assert counts(engine) == before


async def test_entries_of_a_batch_are_by_themselves(program: Program, engine: sa.Engine) -> None:
    answer = await program.post(
        bundle(
            entry(patient()),
            entry(order(status="on-hold")),
            entry(charge()),
            entry(patient("M1", MAIN)),
            type_="batch",
        )
    )
    response = valid(answer.json())
    assert response["type"] == "batch-response"
    statuses = [one["response"]["status"][:3] for one in response["entry"]]
    assert statuses == ["201", "422", "201", "403"]
    assert response["entry"][1]["response"]["outcome"]["issue"][0]["expression"] == [
        "Bundle.entry[1].resource.status"
    ]
    assert rows(engine, "SELECT message_type FROM bus.inbox ORDER BY id") == [
        ("fhir:Patient",),
        ("fhir:ChargeItem",),
    ]


async def test_a_message_is_answered_by_a_message(program: Program) -> None:
    header = {
        "resourceType": "MessageHeader",
        "id": "m1",
        "eventUri": "urn:hp:report",
        "source": {"endpoint": "urn:hp:lis"},
    }
    sent = whole_day()
    sent |= {
        "type": "message",
        "entry": [{"resource": header}, *sent["entry"]],
        "timestamp": "2026-11-20T10:31:00+08:00",
    }
    for one in sent["entry"][1:]:
        del one["request"]
    for _ in range(2):
        answer = valid((await program.post(sent)).json())
        assert answer["entry"][0]["resource"]["response"] == {"identifier": "m1", "code": "ok"}
    assert len(await program.found("DiagnosticReport?identifier=R-7")) == 1


async def test_a_single_resource_is_created_and_changed(program: Program) -> None:
    created = await program.post(patient())
    assert created.status_code == 201, created.text
    booked = await program.post(order())
    assert (booked.status_code, booked.headers["ETag"]) == (201, 'W/"1"')
    id_ = str(record_id("HP", "order", "O-7"))
    assert booked.headers["Location"] == f"http://yilian.test/fhir/ServiceRequest/{id_}"
    done = await program.put(order(id=id_, status="completed"), If_Match='W/"1"')
    assert (done.status_code, done.headers["ETag"]) == (200, 'W/"2"')
    stale = await program.put(order(id=id_, status="revoked"), If_Match='W/"1"')
    assert stale.status_code == 412
    assert issues(stale) == [("conflict", "ServiceRequest")]
    [now] = await program.found("ServiceRequest?identifier=O-7")
    assert (now["status"], now["meta"]["versionId"]) == ("completed", "2")


async def test_creating_what_is_known_otherwise_is_a_conflict(program: Program) -> None:
    await program.post(order())
    assert (await program.post(order())).status_code == 200
    other = await program.post(order(status="completed"))
    assert other.status_code == 409
    assert issues(other) == [("duplicate", "ServiceRequest")]
    [now] = await program.found("ServiceRequest?identifier=O-7")
    assert now["status"] == "active"


async def test_a_create_fills_in_what_was_only_named(program: Program) -> None:
    await program.post(charge(context={"identifier": numbered(".1", "V-7")[0]}))
    assert (await program.post(visit())).status_code == 200, "the visit was known by number alone"
    [now] = await program.found("Encounter?identifier=V-7")
    assert now["status"] == "in-progress"


async def test_what_is_created_only_if_not_there(program: Program, engine: sa.Engine) -> None:
    condition = f"identifier={HP}.2|O-7"
    assert (await program.post(order(), If_None_Exist=condition)).status_code == 201
    there = await program.post(order(status="completed"), If_None_Exist=condition)
    assert (there.status_code, there.headers["ETag"]) == (200, 'W/"1"')
    assert counts(engine)["bus.inbox"] == 1
    whole = whole_day()
    for one in whole["entry"]:
        if one["resource"]["resourceType"] == "ServiceRequest":
            one["request"]["ifNoneExist"] = condition
            one["resource"]["status"] = "revoked"
    assert (await program.post(whole)).status_code == 200
    [now] = await program.found("ServiceRequest?identifier=O-7")
    assert now["status"] == "active"
    [made] = await program.found("DiagnosticReport?identifier=R-7")
    assert made["basedOn"] == [{"reference": f"ServiceRequest/{now['id']}"}]
    other = await program.post(order(), If_None_Exist="status=active")
    assert other.status_code == 422


async def test_a_conditional_update_in_a_transaction(program: Program) -> None:
    url = f"Encounter?identifier={HP}.1|V-7"
    for status, answer in (("in-progress", "201 Created"), ("finished", "200 OK")):
        sent = bundle(entry(visit(status=status), method="PUT", url=url))
        response = (await program.post(sent)).json()
        assert response["entry"][0]["response"]["status"] == answer
    [now] = await program.found("Encounter?identifier=V-7")
    assert now["status"] == "finished"


async def test_references_by_our_ids_lead_to_the_campus_s_numbers(program: Program) -> None:
    first = await program.post(whole_day())
    person = first.json()["entry"][0]["response"]["location"].rsplit("/", 1)[1]
    subject = {"reference": f"Patient/{person}"}
    stay = {"reference": f"Encounter/{record_id('HP', 'encounter', 'V-7')}"}
    assert (await program.post(order("O-8", subject, encounter=stay))).status_code == 201
    [made] = await program.found("ServiceRequest?identifier=O-8")
    assert (made["subject"], made["encounter"]) == (subject, stay)
    nobody = await program.post(order("O-9", {"reference": f"Patient/{UUID(int=5)}"}))
    assert issues(nobody) == [("not-found", "ServiceRequest.subject")]


async def test_a_patient_gives_up_a_second_number(program: Program, engine: sa.Engine) -> None:
    await program.post(patient("HP-8"))
    link = [{"other": about("HP-8"), "type": "replaces"}]
    answer = await program.post(
        bundle(entry(patient(link=link), method="PUT", url=f"Patient?identifier={HP}|HP-7"))
    )
    assert answer.status_code == 200, answer.text
    [(merged,)] = rows(
        engine, "SELECT merged_into IS NOT NULL FROM identity.source_patient WHERE number = 'HP-8'"
    )
    assert merged


async def test_a_report_may_contain_its_results(program: Program) -> None:
    subject = about()
    held = potassium(id="k", flag="N", value="4.10", subject=subject)
    answer = await program.post(report(contained=[held], result=[{"reference": "#k"}]))
    assert answer.status_code == 201, answer.text
    [result] = await program.found("Observation?identifier=R-7")
    assert result["valueQuantity"] == {"value": 4.10, "unit": "mmol/L"}


async def test_a_document_comes_with_its_binary(program: Program) -> None:
    data = "5p2O54+FfF5+JkA="
    content = [{"attachment": {"contentType": "text/plain; charset=utf-8", "url": RESULT["reference"]}}]
    binary = {"resourceType": "Binary", "contentType": "text/plain", "data": data}
    answer = await program.post(bundle(entry(document(content=content)), entry(binary, RESULT["reference"])))
    assert answer.status_code == 200, answer.text
    read = await program.client.get(
        f"/fhir/Binary/{record_id('HP', 'document', 'D-7')}", headers=program.doctor
    )
    assert read.content == base64.b64decode(data)


async def test_a_document_whose_store_is_away_is_to_be_sent_again_and_leaves_nothing(
    program: Program, engine: sa.Engine, documents: Path
) -> None:
    content = [{"attachment": {"contentType": "text/plain", "data": "5p2O"}}]
    sent = bundle(entry(document(content=content)))
    mount(documents, "elsewhere")
    before = counts(engine)
    answer = await program.post(sent)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "mount" in answer.text
    assert counts(engine) == before
    mount(documents.with_name("elsewhere"), "documents")
    assert (await program.post(sent)).status_code == 200
    id_ = record_id("HP", "document", "D-7")
    assert (await program.client.get(f"/fhir/Binary/{id_}", headers=program.doctor)).content == "李".encode()
    assert rows(engine, "SELECT coding, length(content) FROM records.blob") == [("moved", 0)]
    mount(documents, "elsewhere")
    read = await program.client.get(f"/fhir/Binary/{id_}", headers=program.doctor)
    assert read.status_code == 503


@pytest.mark.parametrize(
    ("resource", "status", "issue"),
    [
        (
            {"resourceType": "Patient", "identifier": [{"value": "1"}]},
            422,
            ("required", "Patient.identifier"),
        ),
        (patient(gender="F"), 422, ("code-invalid", "Patient.gender")),
        (patient(birthDate="1990-02-30"), 400, ("structure", "Patient.birthDate")),
        (patient(colour="red"), 400, ("structure", "Patient.colour")),
        (
            patient(modifierExtension=[{"url": "urn:x", "valueBoolean": True}]),
            422,
            ("extension", "Patient.modifierExtension"),
        ),
        (visit(subject={"display": "某人"}), 422, ("not-found", "Encounter.subject")),
        (order(code={"text": "血"}), 422, ("required", "ServiceRequest.code")),
        (order(subject=about("M1", MAIN)), 422, ("business-rule", "ServiceRequest.subject")),
        (charge(priceOverride=None), 422, ("required", "ChargeItem.priceOverride")),
        (bundle(entry(potassium())), 422, ("required", "Bundle.entry[0].resource")),
        (
            bundle(entry(charge()), entry(charge("F-8", about("HP-8")))),
            422,
            ("business-rule", "Bundle.entry[1].resource"),
        ),
        (bundle(entry(charge()), entry(charge())), 422, ("duplicate", "Bundle.entry[1].resource")),
        (
            bundle(entry(charge(), method="DELETE", url="ChargeItem/1")),
            422,
            ("not-supported", "Bundle.entry[0].request.method"),
        ),
        (bundle(type_="collection"), 422, ("invalid", "Bundle.type")),
        (bundle(), 422, ("invalid", "Bundle.entry")),
        (bundle(entry(patient(), url="Encounter")), 422, ("invalid", "Bundle.entry[0].request.url")),
        (
            bundle({"request": {"method": "POST", "url": "Patient"}}),
            422,
            ("invalid", "Bundle.entry[0].resource"),
        ),
        (
            bundle(entry({"resourceType": "Condition", "subject": about()})),
            422,
            ("not-supported", "Bundle.entry[0].resource"),
        ),
        (bundle(type_="message"), 422, ("invalid", "Bundle.entry")),
        (bundle(entry(charge()), type_="message"), 422, ("invalid", "Bundle.entry[0]")),
    ],
)
async def test_what_cannot_be_taken_says_where(
    program: Program, engine: sa.Engine, resource: Json, status: int, issue: tuple[str, str]
) -> None:
    before = counts(engine)
    answer = await program.post(resource)
    assert answer.status_code == status, answer.text
    assert issue in issues(answer)
    assert counts(engine) == before


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"resourceType": "Patient"',
        b'{"a": 1, "a": 2}',
        b"\xff",
        b'{"a": NaN}',
        b'{"a": 1e999999}',
        b'{"a": 0e-999999}',
        b'{"a": 1e99999999999999999999}',
        b'{"a": "\\u0000"}',
        b'{"a": "\\ud800"}',
        b"1" * 5000,
    ],
)
async def test_what_is_no_resource_is_refused(program: Program, body: bytes) -> None:
    answer = await program.send("POST", "", body)
    assert answer.status_code == 400
    assert issues(answer) == [("structure", "$this")]


async def test_another_type_of_body_is_refused(program: Program) -> None:
    answer = await program.send("POST", "/Patient", patient(), Content_Type="application/fhir+xml")
    assert answer.status_code == 415


async def test_what_is_not_kept_is_told(program: Program) -> None:
    answer = await program.post(patient(maritalStatus={"text": "已婚"}))
    assert answer.status_code == 201
    assert ("informational", "Patient.maritalStatus") in issues(answer)


@pytest.mark.parametrize(
    "user",
    ["coordinator.huangpu", "doctor.huangpu", "engineer", "ops", "admin", "manager.huangpu", "patient.demo"],
)
async def test_nobody_else_writes(program: Program, as_: As, engine: sa.Engine, user: str) -> None:
    program.program = as_(user)
    before = counts(engine)
    for path in (patient(), bundle(entry(patient()))):
        assert (await program.post(path)).status_code == 403
    assert (await program.put(order(id=str(UUID(int=1))))).status_code == 403
    assert counts(engine) == before
    with engine.connect() as connection:
        refused = audit.entries(connection, limit=9, username=user, outcome="refused")
    assert [one.entry.action for one in refused] == ["record.write"] * 3


async def test_a_campus_writes_under_its_own_identifiers_alone(program: Program, engine: sa.Engine) -> None:
    before = counts(engine)
    answer = await program.post(patient("M1", MAIN))
    assert answer.status_code == 403
    assert valid(answer.json())["issue"][0]["code"] == "forbidden"
    mixed = await program.post(bundle(entry(patient()), entry(patient("M1", MAIN))))
    assert mixed.status_code == 422
    assert counts(engine) == before


async def test_a_write_is_in_the_audit(program: Program, engine: sa.Engine) -> None:
    await program.post(whole_day())
    with engine.connect() as connection:
        [one] = audit.entries(connection, limit=9, username="system.huangpu")
    assert (one.entry.action, one.entry.resource, one.entry.outcome) == (
        "record.write",
        "POST /fhir",
        "allowed",
    )
    [known] = await program.found(f"Patient?identifier={HP}|HP-7")
    assert [str(person) for person in one.entry.persons] == [known["id"]]
    assert "欧阳" not in one.entry.reason


async def test_the_golden_person_is_linked_by_the_id_card(program: Program) -> None:
    cards = [*numbered("", "HP-7"), {"system": "urn:oid:2.16.156.10011.1.3", "value": CARD}]
    answer = await program.post(patient(identifier=cards, gender="male", birthDate="1949-12-31"))
    assert answer.status_code == 201
    [found] = await program.found(f"Patient?identifier={CARD}")
    assert answer.headers["Location"].endswith(found["id"])


async def test_writes_at_the_same_moment_make_one_record(program: Program, engine: sa.Engine) -> None:
    answers = await asyncio.gather(*(program.post(order()) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [201]
    assert rows(engine, 'SELECT count(*), max(version) FROM records."order"') == [(1, 1)]


async def test_the_capability_statement_tells_what_is_written(program: Program, app: FastAPI) -> None:
    answer = await program.client.get("/fhir/metadata", headers=program.program)
    [rest] = valid(answer.json())["rest"]
    assert {one["code"] for one in rest["interaction"]} == {"transaction", "batch"}
    told = {one["type"]: {found["code"] for found in one["interaction"]} for one in rest["resource"]}
    served = [route for route in app.routes if isinstance(route, APIRoute)]
    routes = {(method, route.path) for route in served for method in route.methods}
    for type_, interactions in told.items():
        assert ("create" in interactions) == (("POST", f"/fhir/{type_}") in routes), type_
        assert ("update" in interactions) == (("PUT", f"/fhir/{type_}/{{id}}") in routes), type_


async def test_a_write_is_not_replayed(program: Program, engine: sa.Engine) -> None:
    await program.post(whole_day())
    [(id_,)] = rows(engine, "SELECT id FROM bus.inbox")
    with pytest.raises(NotHeldError, match="recorded before it was answered"):
        replay(engine, id_, Who("chen", "再来一次"), "a routing key for tests")
    assert counts(engine)["bus.work"] == 0


async def test_what_we_send_can_be_written_here(program: Program, engine: sa.Engine) -> None:
    """A bundle for another system is a transaction that this platform takes."""
    await program.post(whole_day())
    with engine.connect() as connection:
        said = known.fact(connection, "lab_report", "HP", "R-7")
        whom = known.patient(connection, "HP", "HP-7")
    assert isinstance(said, Report)
    assert whom is not None
    change = Change(kind=Kind.REPORT, patient=whom, reports=(said,))
    sent = bundle_of(change, PROVENANCE, Systems(Settings()), "transaction")
    answer = await program.post(sent)
    assert answer.status_code == 200, answer.text
    assert rows(engine, "SELECT max(version) FROM records.report") == [(1,)], "it says nothing new"
