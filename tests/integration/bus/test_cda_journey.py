"""WS/T 500 documents on real servers: SOAP and REST, inbox, RabbitMQ, router, records, FHIR, the page."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime
from typing import Any
from xml.sax.saxutils import escape

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI

from adapters.rest.server import create_router
from adapters.soap.server import create_app as create_soap
from adapters.uploads import UploadSettings
from api.app import create_app
from bus.inbox import Inbox
from bus.router.effects import Services
from bus.router.router import Router
from bus.rules.ruleset import RuleSet
from consortium.access import tokens
from consortium.access.seed import seed_sample_users
from runtime.settings import CHECKOUT, Settings
from simulators.cda.samples import KINDS, Sample, document
from tests.integration.adapters.serving import authenticate, serving
from tests.integration.bus.clinic import engine_of, hl7, rows, states, steps, store
from tests.integration.bus.test_codes_journey import running
from tests.integration.bus.test_relay import until

DAY = date(2026, 11, 20)
SEED = 20261120
AUTH = ("system.huangpu", "right")
CAMPUSES = frozenset({"HP"})
LIMIT = 32 * 1024 * 1024
TOKEN_KEY = "a key for tests only, 32 bytes or more"
ENVELOPE = (
    '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>'
    '<CDA上传 xmlns="urn:yilian:upload:v1"><消息头><消息编号>{id}</消息编号><发送系统>EMR</发送系统>'
    "<机构代码>HP</机构代码><时间>2026-11-20T12:00:00</时间></消息头><内容>{content}</内容></CDA上传>"
    "</soap:Body></soap:Envelope>"
)


def application(inbox: Inbox) -> FastAPI:
    app = FastAPI()
    app.include_router(create_router(inbox, UploadSettings(CAMPUSES, LIMIT), authenticate))
    app.mount("/soap", create_soap(inbox, UploadSettings(CAMPUSES, LIMIT), authenticate))
    return app


@pytest.fixture
def origin(database_url: str) -> Iterator[str]:
    """Where the campus uploads."""
    with serving(database_url, application) as url:
        yield url


def by_soap(origin: str, body: bytes, control_id: str) -> httpx.Response:
    envelope = ENVELOPE.format(id=escape(control_id), content=b64encode(body).decode())
    headers = {"Content-Type": "text/xml; charset=utf-8"}
    return httpx.post(f"{origin}/soap/cda", content=envelope.encode(), auth=AUTH, headers=headers)


def by_rest(origin: str, body: bytes, control_id: str, kind: str = "application/xml") -> httpx.Response:
    headers = {"Content-Type": kind, "Idempotency-Key": control_id, "X-Sending-System": "EMR"}
    return httpx.post(f"{origin}/api/v1/upload/HP/cda", content=body, auth=AUTH, headers=headers)


def soap(origin: str, sample: Sample, control_id: str | None = None) -> None:
    answer = by_soap(origin, sample.body, control_id or sample.number)
    assert answer.status_code == 200, answer.text


def rest(origin: str, sample: Sample, control_id: str | None = None) -> int:
    answer = by_rest(origin, sample.body, control_id or sample.number)
    assert answer.status_code == 202, answer.text
    return int(answer.json()["id"])


@pytest_asyncio.fixture
async def fhir(database_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A doctor at the API."""
    engine = engine_of(database_url)
    with engine.begin() as connection:
        seed_sample_users(connection, "示例密码 1")
    settings = Settings(
        database_url=database_url,
        amqp_url="amqp://guest:guest@127.0.0.1:1/",
        token_key=TOKEN_KEY,
        routing_key="a routing key for tests",
        sample_password="示例密码 1",
    )
    app = create_app(settings)
    token = tokens.issue("doctor.huangpu", TOKEN_KEY, datetime.now(UTC))
    headers = {"Authorization": f"Bearer {token}"}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://yilian.test", headers=headers
    ) as client:
        yield client
    app.state.platform.engine.dispose()
    engine.dispose()


async def found(fhir: httpx.AsyncClient, kind: str, **query: str) -> list[dict[str, Any]]:
    answer = await fhir.get(f"/fhir/{kind}", params=query)
    assert answer.status_code == 200, answer.text
    return [entry["resource"] for entry in answer.json().get("entry", [])]


async def settled(url: str) -> None:
    """Wait until nothing is on its way any more."""
    await until(lambda: 0 not in states(url).values())


async def test_every_kind_goes_from_soap_to_fhir_and_to_a_page(
    origin: str, database_url: str, amqp_url: str, fhir: httpx.AsyncClient
) -> None:
    samples = {kind: document(SEED, DAY, kind) for kind in KINDS}
    async with running(database_url, amqp_url):
        for sample in samples.values():
            await asyncio.to_thread(soap, origin, sample)
        await settled(database_url)
    assert states(database_url) == {}
    types = rows(database_url, "SELECT message_type, patient_number, visit_number FROM bus.inbox ORDER BY id")
    assert types == [(f"cda:{s.code}", s.patient, s.visit) for s in samples.values()]

    for sample in samples.values():
        type_ = f"urn:oid:2.16.156.10011.2.4|{sample.code}"
        [reference] = await found(fhir, "DocumentReference", identifier=sample.number, type=type_)
        assert reference["status"] == "current"
        coding = reference["type"]["coding"][0]
        assert (coding["system"], coding["code"]) == ("urn:oid:2.16.156.10011.2.4", sample.code)
        assert reference["content"][0]["attachment"]["contentType"] == "text/xml"
        binary = await fhir.get(f"/fhir/{reference['content'][0]['attachment']['url']}")
        assert binary.content == sample.body
        page = await fhir.get(f"/api/v1/documents/{reference['id']}/html")
        assert page.status_code == 200
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert sample.patient in page.text

    [lab] = await found(fhir, "DiagnosticReport", identifier="HCL261120015")
    assert (lab["status"], lab["code"]["text"], len(lab["result"])) == ("final", "乙肝五项", 5)
    results = await found(fhir, "Observation", identifier="HCL261120015")
    assert {one["code"]["coding"][0]["system"] for one in results} == {"http://loinc.org"}
    [exam] = await found(fhir, "DiagnosticReport", identifier="HCE261120014")
    assert exam["conclusion"].startswith("右肺上叶小结节")
    [surgery] = await found(fhir, "Procedure", identifier="HCO261120016-1")
    assert surgery["code"]["coding"][0]["code"] == "51.2300"
    [stay] = await found(fhir, "Encounter", identifier=samples["discharge"].visit)
    assert (stay["status"], stay["class"]["code"]) == ("finished", "IMP")
    medicines = rows(
        database_url,
        "SELECT number, item_name FROM records.\"order\" WHERE kind = 'medication' ORDER BY number",
    )
    assert ("HCR261120012-1", "苯磺酸氨氯地平片") in medicines
    assert ("HCR261120013-2", "当归") in medicines
    page_route = "GET /api/v1/documents/{id}/html"
    read = rows(database_url, "SELECT count(*) FROM access.audit WHERE resource = %s", page_route)
    assert read == [(len(samples),)]


async def test_the_same_document_again_has_one_effect(origin: str, database_url: str, amqp_url: str) -> None:
    sample = document(SEED, DAY, "lab", 4)
    async with running(database_url, amqp_url):
        await asyncio.to_thread(soap, origin, sample)
        await asyncio.to_thread(soap, origin, sample)  # a retry
        await settled(database_url)
        before = rows(database_url, "SELECT id, version, changed_at FROM records.document")
        await asyncio.to_thread(soap, origin, sample, "another-number")
        await asyncio.to_thread(rest, origin, sample, "by-rest")
        await settled(database_url)
    assert rows(database_url, "SELECT count(*) FROM bus.inbox") == [(3,)]
    assert states(database_url) == {}
    assert rows(database_url, "SELECT id, version, changed_at FROM records.document") == before
    assert rows(database_url, "SELECT count(*) FROM records.report") == [(1,)]
    assert rows(database_url, "SELECT count(*) FROM records.history") == [(0,)]
    assert rows(database_url, "SELECT count(*) FROM records.blob") == [(1,)]


@pytest.mark.parametrize("order", [(1, 2), (2, 1)], ids=["in order", "the older one late"])
async def test_a_version_that_replaces_another_keeps_its_history(
    origin: str, database_url: str, amqp_url: str, fhir: httpx.AsyncClient, order: tuple[int, int]
) -> None:
    versions = {number: document(SEED, DAY, "exam", 1, number) for number in order}
    newer = versions[2].body.replace("右肺上叶小结节".encode(), "右肺上叶小结节较前缩小".encode())
    newer = newer.replace(
        b'<effectiveTime value="20261120124800"', b'<effectiveTime value="20261121090000"', 1
    )
    bodies = {1: versions[1].body, 2: newer}
    async with running(database_url, amqp_url):
        for number in order:
            await asyncio.to_thread(by_rest, origin, bodies[number], versions[number].number)
        await settled(database_url)
    assert states(database_url) == {}
    old, new = versions[1].number, versions[2].number
    [first] = await found(fhir, "DocumentReference", identifier=old)
    [second] = await found(fhir, "DocumentReference", identifier=new)
    assert (first["status"], second["status"]) == ("superseded", "current")
    assert second["relatesTo"][0]["target"]["identifier"]["value"] == old
    [report] = await found(fhir, "DiagnosticReport", identifier="HCE261120014")
    assert report["conclusion"].startswith("右肺上叶小结节较前缩小")
    assert report["status"] in ("corrected", "amended")
    kept = rows(database_url, "SELECT kind, facts->>'status' FROM records.history")
    assert kept == ([("report", "final")] if order == (1, 2) else [])
    for number, sample in versions.items():
        [reference] = await found(fhir, "DocumentReference", identifier=sample.number)
        binary = await fhir.get(f"/fhir/Binary/{reference['id']}")
        assert binary.content == bodies[number]


async def test_a_document_in_gb18030_keeps_its_bytes_and_its_hazardous_name(
    origin: str, database_url: str, amqp_url: str, fhir: httpx.AsyncClient
) -> None:
    sample = document(SEED, DAY, "summary", 1, charset="GB18030")
    body = sample.body.replace("吕斌".encode("gb18030"), "单珅牁".encode("gb18030"))
    async with running(database_url, amqp_url):
        answer = await asyncio.to_thread(by_rest, origin, body, sample.number, "text/xml")
        assert answer.status_code == 202, answer.text
        await settled(database_url)
    assert rows(database_url, "SELECT charset, body FROM bus.message") == [("gb18030", body)]
    assert rows(database_url, "SELECT name FROM identity.source_patient") == [("单珅牁",)]
    [reference] = await found(fhir, "DocumentReference", identifier=sample.number)
    page = await fhir.get(f"/api/v1/documents/{reference['id']}/html")
    assert "单珅牁" in page.content.decode()
    binary = await fhir.get(f"/fhir/Binary/{reference['id']}")
    assert binary.content == body


async def test_other_bytes_under_a_known_number_are_a_new_version_of_the_document(
    origin: str, database_url: str, amqp_url: str, fhir: httpx.AsyncClient
) -> None:
    sample = document(SEED, DAY, "prescription")
    mended = sample.body.replace("苯磺酸氨氯地平片 5mg".encode(), "苯磺酸氨氯地平片 10mg".encode())
    async with running(database_url, amqp_url):
        for control_id, body in (("first", sample.body), ("mended", mended)):
            answer = await asyncio.to_thread(by_rest, origin, body, control_id)
            assert answer.status_code == 202, answer.text
        await settled(database_url)
    [reference] = await found(fhir, "DocumentReference", identifier=sample.number)
    assert reference["meta"]["versionId"] == "2"
    assert (await fhir.get(f"/fhir/Binary/{reference['id']}")).content == mended
    assert rows(database_url, "SELECT kind, version FROM records.history") == [("document", 1)]
    assert rows(database_url, "SELECT count(*) FROM records.blob") == [(2,)]


async def test_what_breaks_an_assertion_is_held_aside_and_warnings_are_kept(
    origin: str, database_url: str, amqp_url: str
) -> None:
    sample = document(SEED, DAY, "lab", 4)
    wrong = sample.body.replace(b"DE04.30.019.00", b"DE04.30.999.00", 1)
    warned = sample.body.replace(b'languageCode code="zh-CN"', b'languageCode code="en"')
    async with running(database_url, amqp_url):
        bad = (await asyncio.to_thread(by_rest, origin, wrong, "wrong")).json()["id"]
        good = (await asyncio.to_thread(by_rest, origin, warned, "warned")).json()["id"]
        await settled(database_url)
    [(code, reason, step, field)] = rows(
        database_url, "SELECT code, reason, step, field FROM bus.held WHERE message_id = %s", bad
    )
    assert (code, step) == ("schematron", "schematron cda-lab.sch")
    assert field == "ClinicalDocument/component/structuredBody/component[2]/section/entry[2]/organizer"
    assert reason.startswith("L10 ")
    assert steps(database_url, good)[-1] == "recorded"
    [(told,)] = rows(
        database_url,
        "SELECT detail->'warnings' FROM bus.trace WHERE message_id = %s AND step = 'recorded'",
        good,
    )
    assert {"id": "H08", "path": "ClinicalDocument"}.items() <= told[0].items()


BOMB = b'<!DOCTYPE d [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'
XXE = b'<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/hostname">]>'


UNSOUND = (
    (b"<ClinicalDocument ", BOMB + b"<ClinicalDocument ", "xml_doctype"),
    (b"<ClinicalDocument ", XXE + b"<ClinicalDocument ", "xml_doctype"),
    (b"<title>", b"<title>&unknown;", "malformed_xml"),
    (b"<custodian ", b"<keeper ", "malformed_xml"),
    (b'root="1.2.156.10011.99.2"', b'root="2.16.156.10011.1.19"', "patient_number"),
    (b'code="C0007"', b'code="C9999"', "document_type"),
    (b"<title>", b"<titel/><title>", "schema"),
    (b"<title>", b"<title>" + b"x" * 10_000_001, "malformed_xml"),
)


def test_what_is_no_sound_document_is_refused_at_the_door_and_kept(origin: str, database_url: str) -> None:
    sample = document(SEED, DAY, "lab")
    for old, new, code in UNSOUND:
        body = sample.body.replace(old, new, 1)
        assert body != sample.body
        answer = by_rest(origin, body, "R-1")
        assert (answer.status_code, answer.json()["type"]) == (422, f"urn:yilian:problem:{code}")
        assert sample.patient not in answer.text
    for old, new, code in UNSOUND[:-1]:  # in base64 the last is over the limit of the envelope's own text
        fault = by_soap(origin, sample.body.replace(old, new, 1), "S-1")
        assert fault.status_code == 500
        assert f"<y:代码>{code}</y:代码>" in fault.text
    refused = rows(database_url, "SELECT protocol, code FROM bus.refusal ORDER BY id")
    codes = [code for *_, code in UNSOUND]
    assert refused == [*(("rest", code) for code in codes), *(("soap", code) for code in codes[:-1])]
    assert rows(database_url, "SELECT count(*) FROM bus.inbox") == [(0,)]


def test_a_document_inside_an_mdm_becomes_the_same_records(database_url: str) -> None:
    sample = document(SEED, DAY, "discharge")
    enclosed = sample.body.replace(b"1.2.156.10011.99.2", b"1.2.156.10011.99.1")
    txa = f"TXA|1|C0053^出院小结|AP|20261120124900||||||||{sample.number}"
    obx = f"OBX|1|ED|C0053^出院小结||^application^XML^Base64^{b64encode(enclosed).decode()}"
    ids = store(database_url, hl7("MDM^T02", sample.patient, sender="EMR", more=[txa, obx]))
    engine = engine_of(database_url)
    Router(engine, RuleSet.load(CHECKOUT / "rules"), Services()).answer(ids)
    engine.dispose()
    assert states(database_url) == {}
    assert rows(database_url, "SELECT number, status, class FROM records.encounter") == [
        (sample.visit, "finished", "inpatient")
    ]
    kept = (
        "SELECT d.number, b.size FROM records.document d JOIN records.blob b ON b.sha256 = d.content_sha256"
    )
    assert rows(database_url, kept) == [(sample.number, len(enclosed))]


def test_json_is_not_taken_for_a_document(origin: str) -> None:
    assert by_rest(origin, b"{}", "R-1", "application/json").status_code == 415
