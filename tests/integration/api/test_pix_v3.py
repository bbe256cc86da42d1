"""HL7 v3 over SOAP: feed (ITI-44) and identifiers (ITI-45), by the lines of the checklist."""

from __future__ import annotations

from datetime import UTC, datetime
from socket import socket

import httpx
import pytest
import sqlalchemy as sa
import zeep
from fastapi import FastAPI
from lxml import etree

from adapters.ihe.mtom import Parts, unpack
from api.limits import ORDINARY
from api.platform import Platform
from consortium.access import audit
from consortium.identity import crossing
from tests import hl7v3_messages as v3
from tests.hl7v3_messages import CARDS, CONSORTIUM, HP, HY, MAIN
from tests.integration.api.conftest import PASSWORD, As
from tests.integration.api.records import ID_CARD, person_of_three_campuses

SOAP12 = "application/soap+xml; charset=utf-8"
PATIENT = "/PRPA_IN201309UV02/controlActProcess/queryByParameter/parameterList/patientIdentifier/value"
SOURCE = "/PRPA_IN201309UV02/controlActProcess/queryByParameter/parameterList/dataSource"
REGISTERED = "/{}/controlActProcess/subject/registrationEvent/subject1/patient/id"


class Program:
    """A campus's program that speaks v3."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.auth = httpx.BasicAuth("system.huangpu", PASSWORD)

    async def raw(self, body: bytes, address: str = "/pix/v3", media: str = SOAP12) -> httpx.Response:
        return await self.client.post(address, content=body, headers={"Content-Type": media}, auth=self.auth)

    async def send(self, payload: str) -> v3.Element:
        answer = await self.raw(v3.envelope(payload))
        assert answer.status_code == 200, answer.text
        return v3.payload(answer.content)


@pytest.fixture
def program(client: httpx.AsyncClient) -> Program:
    return Program(client)


def value(root: str, extension: str) -> str:
    return v3.ii(root, extension, "value")


def rows(engine: sa.Engine, query: str) -> list[tuple[object, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text(query))]


async def test_14_iti_44_adds_with_chinese_demographics(program: Program, engine: sa.Engine) -> None:
    answer = await program.send(v3.add("HP-7"))
    assert etree.QName(answer).localname == "MCCI_IN000002UV01"
    assert v3.codes(answer)[0] == "CA"
    facts = "name, sex, birth_date::text, phone, address"
    assert rows(engine, f"SELECT {facts} FROM identity.source_patient") == [  # noqa: S608 - a constant
        ("欧阳珅", "female", "1990-03-07", "13800000000", "广东省广州市中山二路1号")
    ]
    assert rows(engine, "SELECT message_type, protocol FROM bus.inbox") == [
        ("hl7v3:PRPA_IN201301UV02", "hl7v3")
    ]
    assert rows(engine, "SELECT count(*) FROM bus.work") == [(0,)]


async def test_14_iti_44_revises_and_links_by_card(program: Program, engine: sa.Engine) -> None:
    person_of_three_campuses(engine)
    await program.send(v3.add("HP-7"))
    more = '<birthTime value="19491231"/>' + v3.card(ID_CARD)
    revised = v3.registration(
        "PRPA_IN201302UV02", v3.ii(HP, "HP-7"), v3.person("<family>王</family><given>珅</given>", more)
    )
    assert v3.codes(await program.send(revised))[0] == "CA"
    answer = await program.send(v3.pix(value(HP, "HP-7"), MAIN))
    assert v3.ids(answer) == [[(MAIN, "M1")]]


async def test_14_iti_44_merge_retires_the_number(program: Program) -> None:
    await program.send(v3.add("HP-7"))
    await program.send(v3.add("HP-8"))
    assert v3.codes(await program.send(v3.merge("HP-7", "HP-8")))[0] == "CA"
    assert v3.codes(await program.send(v3.pix(value(HP, "HP-8")))) == ("AE", "AE")
    answer = await program.send(v3.pix(value(HP, "HP-7")))
    assert [root for root, _ in v3.ids(answer)[0]] == [CONSORTIUM]


async def test_14_a_merge_in_a_circle_is_told(program: Program) -> None:
    await program.send(v3.merge("HP-7", "HP-8"))
    answer = await program.send(v3.merge("HP-8", "HP-7"))
    assert (v3.codes(answer)[0], v3.details(answer)) == ("CE", [("merge_cycle", "/PRPA_IN201304UV02")])


async def test_14_the_same_feed_again_has_no_second_effect(program: Program, engine: sa.Engine) -> None:
    for created in ("20261120093000", "20261120094500"):
        answer = await program.send(
            v3.add("HP-7", id_="0f3b6d6e-7a0c-4d39-8d2e-3b6f2a9c51d7", created=created)
        )
        assert v3.codes(answer)[0] == "CA"
    other = v3.add("HP-8", id_="0f3b6d6e-7a0c-4d39-8d2e-3b6f2a9c51d7")
    answer = await program.send(other)
    assert (v3.codes(answer)[0], v3.details(answer)[0][0]) == ("CE", "control_id_reused")
    assert rows(engine, "SELECT number FROM identity.source_patient") == [("HP-7",)]


@pytest.mark.parametrize("root", ["1.2.3.4", MAIN])
async def test_14_a_domain_that_is_not_the_senders_is_told_with_204(program: Program, root: str) -> None:
    answer = await program.send(v3.add("X-1", root))
    expected = [("204", REGISTERED.format("PRPA_IN201301UV02"))]
    assert (v3.codes(answer)[0], v3.details(answer)) == ("CE", expected)


async def test_14_a_domain_by_name_alone_is_completed_and_a_contradiction_refused(program: Program) -> None:
    named = '<id extension="HP-7" assigningAuthorityName="HP"/>'
    wrong = f'<id root="{HP}" extension="HP-8" assigningAuthorityName="MAIN"/>'
    taken, refused = [
        await program.send(v3.registration("PRPA_IN201301UV02", one, v3.person())) for one in (named, wrong)
    ]
    assert (v3.codes(taken)[0], v3.codes(refused)[0]) == ("CA", "CE")
    answer = await program.send(v3.pix(value(HP, "HP-7")))
    assert v3.codes(answer) == ("AA", "OK")


@pytest.mark.parametrize(
    ("more", "element"),
    [
        ('<birthTime value="1990"/>', "birthTime"),
        ('<administrativeGenderCode code="X"/>', "administrativeGenderCode"),
        ('<deceasedInd value="maybe"/>', "deceasedInd"),
    ],
)
async def test_14_a_value_that_is_not_kept_so_is_told_with_its_place(
    program: Program, engine: sa.Engine, more: str, element: str
) -> None:
    answer = await program.send(v3.add("HP-7", more=more))
    assert v3.codes(answer)[0] == "CE"
    [(code, location)] = v3.details(answer)
    assert code.startswith("SYN")
    assert location.endswith(f"/patientPerson/{element}")
    assert rows(engine, "SELECT count(*) FROM identity.source_patient") == [(0,)]
    assert rows(engine, "SELECT code, facility FROM bus.refusal") == [(f"v3_{code.lower()}", "HP")]


async def test_14_6_a_hit_is_ok_without_a_name_and_without_the_id_asked_with(
    program: Program, engine: sa.Engine
) -> None:
    wang = person_of_three_campuses(engine)
    answer = await program.send(v3.pix(value(HP, "HP-1")))
    assert v3.codes(answer) == ("AA", "OK")
    assert v3.ids(answer) == [[(CONSORTIUM, str(wang)), (CARDS, ID_CARD), (HY, "Y001"), (MAIN, "M1")]]
    assert answer.xpath("string(.//v:patientPerson/v:name/@nullFlavor)", namespaces=v3.V3) == "NA"
    assert "王" not in etree.tostring(answer, encoding="unicode")
    assert answer.xpath("string(.//v:queryAck/v:queryId/@extension)", namespaces=v3.V3) == "Q1"
    echoed = answer.xpath("string(.//v:queryByParameter//v:patientIdentifier/v:value/@extension)",
                          namespaces=v3.V3)  # fmt: skip
    assert echoed == "HP-1"
    two = await program.send(v3.pix(value(HP, "HP-1"), MAIN, HY))
    assert v3.ids(two) == [[(HY, "Y001"), (MAIN, "M1")]]


async def test_14_8_a_number_that_its_campus_took_back_is_not_known_and_not_told(
    program: Program, engine: sa.Engine
) -> None:
    person_of_three_campuses(engine)
    with engine.begin() as connection:
        assert crossing.remove(connection, "MAIN", "M1", 1000, datetime(2026, 11, 25, tzinfo=UTC))
    answer = await program.send(v3.pix(value(HP, "HP-1"), MAIN, HY))
    assert v3.ids(answer) == [[(HY, "Y001")]]
    assert v3.codes(await program.send(v3.pix(value(MAIN, "M1")))) == ("AE", "AE")


async def test_14_7_a_known_id_without_counterpart_is_nf(program: Program) -> None:
    await program.send(v3.add("HP-7"))
    answer = await program.send(v3.pix(value(HP, "HP-7"), MAIN))
    assert (v3.codes(answer), v3.ids(answer), v3.details(answer)) == (("AA", "NF"), [], [])


async def test_14_8_an_unknown_id_is_ae_with_204_and_its_place(program: Program) -> None:
    answer = await program.send(v3.pix(value(HP, "NOBODY")))
    assert (v3.codes(answer), v3.ids(answer)) == (("AE", "AE"), [])
    assert v3.details(answer) == [("204", PATIENT)]


async def test_14_9_an_unknown_source_domain_is_ae_with_204_and_its_place(program: Program) -> None:
    answer = await program.send(v3.pix(value("1.2.3", "HP-7")))
    assert (v3.codes(answer), v3.details(answer)) == (("AE", "AE"), [("204", PATIENT)])
    text = answer.findtext(".//v:acknowledgementDetail/v:text", "", v3.V3)
    assert "domain" in text


async def test_14_10_each_unknown_target_domain_has_its_own_detail(program: Program) -> None:
    await program.send(v3.add("HP-7"))
    answer = await program.send(v3.pix(value(HP, "HP-7"), "1.2.3", MAIN, "4.5.6"))
    assert v3.codes(answer) == ("AE", "AE")
    assert v3.details(answer) == [("204", f"{SOURCE}[1]/value"), ("204", f"{SOURCE}[3]/value")]


async def test_addressing_is_answered(program: Program) -> None:
    header = v3.addressed("PRPA_IN201309UV02", "urn:uuid:42")
    answer = await program.raw(v3.envelope(v3.pix(value(HP, "NOBODY")), header))
    root = etree.fromstring(answer.content)
    said = {etree.QName(one).localname: one.text for one in root[0]}
    assert (said["Action"], said["RelatesTo"]) == ("urn:hl7-org:v3:PRPA_IN201310UV02", "urn:uuid:42")
    assert answer.headers["content-type"].startswith("application/soap+xml")


MALFORMED = [
    ("<a/>", "", "action"),
    ("<a/><b/>", "", "soap_body"),
    (v3.message("PRPA_IN201309UV02", ""), "", "structure"),
    (v3.message("PRPA_IN201305UV02", ""), "", "action"),
    (v3.message("PRPA_IN201309UV02", "").replace("IN201309UV02\"/><proc", "IN201301UV02\"/><proc"), "",
     "structure"),
    (v3.add("HP-7"), '<o:Security xmlns:o="urn:o" soap:mustUnderstand="1"/>', "must_understand"),
    (v3.add("HP-7"), v3.addressed("PRPA_IN201302UV02"), "action"),
    (v3.add("HP-7"), v3.addressed("PRPA_IN201301UV02").replace(f"{v3.WSA}/anonymous", "http://x.test/"),
     "addressing"),
    ("<open>", "", "malformed_xml"),
]  # fmt: skip


async def test_what_is_malformed_is_a_fault_and_kept(program: Program, engine: sa.Engine) -> None:
    told = []
    for payload, header, _ in MALFORMED:
        answer = await program.raw(v3.envelope(payload, header))
        assert answer.status_code in (400, 500)
        told.append(etree.fromstring(answer.content).findtext(".//{urn:yilian:upload:v1}代码"))
    assert told == [code for *_, code in MALFORMED]
    kept = rows(engine, "SELECT code, facility, endpoint, protocol FROM bus.refusal ORDER BY id")
    assert kept == [(code, "HP", "/pix/v3", "hl7v3") for code in told]
    assert rows(engine, "SELECT count(*) FROM bus.inbox") == [(0,)]


async def test_a_fault_says_where_the_mistake_is(program: Program, engine: sa.Engine) -> None:
    answer = await program.raw(v3.envelope(v3.message("PRPA_IN201309UV02", "")))
    root = etree.fromstring(answer.content)
    place = "/PRPA_IN201309UV02/controlActProcess/queryByParameter"
    assert root.findtext(".//{urn:yilian:upload:v1}路径") == place
    assert all((text.text or "").startswith(f"{place}: ") for text in root.iter(f"{{{v3.SOAP}}}Text"))
    [(reason,)] = rows(engine, "SELECT reason FROM bus.refusal")
    assert str(reason).startswith(f"{place}: ")
    with engine.connect() as connection:
        [noted] = audit.entries(connection, limit=1)
    assert (noted.entry.resource, noted.entry.outcome) == ("POST /pix/v3 PRPA_IN201309UV02", "refused")


async def test_who_leaves_out_addressing_need_not_understand_it(program: Program) -> None:
    asked = v3.pix(value(HP, "NOBODY"))
    for media in (SOAP12, f'{SOAP12}; action="urn:hl7-org:v3:PRPA_IN201309UV02"', f'{SOAP12}; action=""'):
        answer = await program.raw(v3.envelope(asked), media=media)
        assert v3.codes(v3.payload(answer.content)) == ("AE", "AE")
        assert b"mustUnderstand" not in answer.content
    addressed = await program.raw(v3.envelope(asked, v3.addressed("PRPA_IN201309UV02")))
    assert b"mustUnderstand" in addressed.content


async def test_a_message_by_mtom_is_kept_as_its_envelope(program: Program, engine: sa.Engine) -> None:
    content = v3.envelope(v3.add("HP-7"), v3.addressed("PRPA_IN201301UV02"))
    body, media = Parts(mtom=True).pack(content, "urn:hl7-org:v3:PRPA_IN201301UV02")
    answer = await program.raw(body, media=media)
    packed = unpack(answer.content, answer.headers["content-type"])
    assert v3.codes(v3.payload(packed.envelope))[0] == "CA"
    assert rows(engine, "SELECT body FROM bus.message") == [(content,)]


async def test_while_the_database_is_away_the_sender_is_told_to_send_again(
    program: Program, app: FastAPI
) -> None:
    await program.send(v3.add("HP-7"))
    parts: Platform = app.state.platform
    there = parts.engine
    with socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        address = f"127.0.0.1:{nobody.getsockname()[1]}"
        away = sa.create_engine(f"postgresql+psycopg://{address}/nothing", poolclass=sa.NullPool)
        object.__setattr__(parts, "engine", away)
        answer = await program.raw(v3.envelope(v3.add("HP-8")))
        object.__setattr__(parts, "engine", there)
    root = etree.fromstring(answer.content)
    assert answer.status_code == 500
    assert root.findtext(f".//{{{v3.SOAP}}}Value") == "soap:Receiver"
    assert root.findtext(".//{urn:yilian:upload:v1}代码") == "unavailable"
    assert v3.codes(await program.send(v3.add("HP-8")))[0] == "CA"


async def test_what_is_too_large_is_a_fault(program: Program) -> None:
    answer = await program.raw(b" " * (ORDINARY + 1))
    assert answer.status_code == 413
    assert etree.fromstring(answer.content).findtext(".//{urn:yilian:upload:v1}代码") == "too_large"


async def test_soap_11_and_a_doctype_are_refused(program: Program) -> None:
    old = await program.raw(v3.envelope(v3.add("HP-7")), media="text/xml")
    doctype = await program.raw(b"<!DOCTYPE a []>" + v3.envelope(v3.add("HP-7")))
    assert (old.status_code, doctype.status_code) == (415, 400)


async def test_who_has_not_signed_in_or_may_not_is_refused(
    program: Program, client: httpx.AsyncClient, as_: As, engine: sa.Engine
) -> None:
    body, media = v3.envelope(v3.add("HP-7")), {"Content-Type": SOAP12}
    nobody = await client.post("/pix/v3", content=body, headers=media)
    manager = await client.post("/pix/v3", content=body, headers=media | as_("manager.huangpu"))
    doctor = await client.post("/pix/v3", content=body, headers=media | as_("doctor.huangpu"))
    assert [nobody.status_code, manager.status_code, doctor.status_code] == [401, 403, 403]
    asked = v3.envelope(v3.pix(value(HP, "NOBODY")))
    answer = await client.post("/pix/v3", content=asked, headers=media | as_("doctor.huangpu"))
    assert v3.codes(v3.payload(answer.content)) == ("AE", "AE")
    with engine.connect() as connection:
        refused = audit.entries(connection, limit=9, outcome="refused")
    assert {one.entry.username for one in refused} == {"manager.huangpu", "doctor.huangpu"}


async def test_41_iti_44_and_45_are_audited_taken_or_not(program: Program, engine: sa.Engine) -> None:
    wang = person_of_three_campuses(engine)
    for sent in (
        v3.add("HP-7"), v3.add("X-1", MAIN), v3.pix(value(HP, "HP-1")), v3.pix(value(HP, "NOBODY"))
    ):  # fmt: skip
        await program.send(sent)
    with engine.connect() as connection:
        unknown, found, failed, added, *_ = audit.entries(connection, limit=9)
    assert (added.entry.action, len(added.entry.persons)) == ("record.write", 1)
    assert added.entry.resource == "POST /pix/v3 PRPA_IN201301UV02"
    assert failed.entry.reason == "not taken: 204"
    assert (found.entry.action, found.entry.persons) == ("patient.query", [wang])
    assert unknown.entry.reason.startswith("not answered")


async def test_the_wsdl_is_published(client: httpx.AsyncClient) -> None:
    operations = {}
    for address in ("/pix/v3", "/pdq/v3"):
        answer = await client.get(f"{address}?wsdl")
        document = etree.fromstring(answer.content)
        namespaces = {"w": "http://schemas.xmlsoap.org/wsdl/"}
        operations[address] = len(document.findall("w:portType/w:operation", namespaces))
        found = document.find(".//{http://schemas.xmlsoap.org/wsdl/soap12/}address")
        assert found is not None
        assert found.get("location") == f"http://yilian.test{address}"
    assert operations == {"/pix/v3": 4, "/pdq/v3": 3}


async def test_a_generated_client_reads_the_wsdl(client: httpx.AsyncClient) -> None:
    class Served(zeep.Transport):
        def load(self, url: str) -> bytes:
            return documents[url]

    documents = {
        "http://yilian.test/pix/v3?wsdl": (await client.get("/pix/v3?wsdl")).content,
    }
    made = zeep.Client("http://yilian.test/pix/v3?wsdl", transport=Served())
    [service] = made.wsdl.services.values()
    [port] = service.ports.values()
    assert sorted(port.binding.all()) == sorted(
        f"PIXManager_{name}"
        for name in ("PRPA_IN201301UV02", "PRPA_IN201302UV02", "PRPA_IN201304UV02", "PRPA_IN201309UV02")
    )
