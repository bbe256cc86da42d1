"""What is not accepted: answered by a fault, kept as a refusal, and the next upload goes through."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field

import httpx
import psycopg
import pytest
from lxml import etree

from adapters.soap.versions import Version
from tests.integration.adapters.soap.conftest import LIMIT

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP12 = "http://www.w3.org/2003/05/soap-envelope"
AUTH = {"Authorization": "Basic " + base64.b64encode(b"system.huangpu:right").decode()}
XML = {"Content-Type": "text/xml; charset=utf-8"}


def envelope(
    control_id: str = "HIS-1", patient: str = "", *, soap: str = SOAP, head: str = "", prolog: str = ""
) -> str:
    """Return a patient upload; `patient` follows 患者编号, `head` is in the header, `prolog` before all."""
    return (
        f'{prolog}<s:Envelope xmlns:s="{soap}"><s:Header>{head}</s:Header><s:Body>'
        '<患者上传 xmlns="urn:yilian:upload:v1"><消息头>'
        f"<消息编号>{control_id}</消息编号><发送系统>HIS</发送系统><机构代码>HP</机构代码><时间>2026-11-20T09:30:00</时间>"
        f"</消息头><患者信息><患者编号>HP1</患者编号>{patient}</患者信息></患者上传></s:Body></s:Envelope>"
    )


BOMB = "<!DOCTYPE b [<!ENTITY a 'aaaaaaaaaa'>" + "".join(
    f"<!ENTITY {chr(98 + i)} '{f'&{chr(97 + i)};' * 10}'>" for i in range(9)
)


@dataclass(frozen=True)
class Bad:
    """One bad request: what is sent, and how it is answered."""

    body: bytes | str
    code: str
    status: int = 500
    reason: str = ""
    headers: dict[str, str] = field(default_factory=lambda: XML)
    interface: str = "patient"
    faultcode: str = "soap:Client"


CASES = {
    "a DOCTYPE": Bad(envelope(prolog="<!DOCTYPE x>"), "xml_doctype"),
    "an external entity": Bad(
        envelope(patient="<姓名>&e;</姓名>", prolog='<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'),
        "xml_doctype",
    ),
    "an entity bomb": Bad(envelope(patient="<姓名>&j;</姓名>", prolog=BOMB + "]>"), "xml_doctype"),
    "a DOCTYPE in UTF-16": Bad(
        envelope(prolog='<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE x>').encode("utf-16"),
        "xml_doctype",
        headers={"Content-Type": "text/xml"},
    ),
    "a wrong element": Bad(
        envelope(patient="<血型>O</血型>"), "schema", reason="患者上传/患者信息/血型: 此处不应出现该元素"
    ),
    "a value of the wrong type": Bad(
        envelope(patient="<出生日期>1990-02-30</出生日期>"),
        "schema",
        reason="患者上传/患者信息/出生日期: 值不合类型 xs:date",
    ),
    "an empty number": Bad(
        envelope(control_id=" "), "schema", reason="患者上传/消息头/消息编号: 值不合限制 minLength"
    ),
    "another interface's element": Bad(
        envelope(), "schema", reason="Body/患者上传: 此接口只接收", interface="order"
    ),
    "no XML": Bad("患者", "malformed_xml", reason="第 1 行"),
    "an unclosed element": Bad(envelope()[:-20], "malformed_xml"),
    "nothing": Bad("", "malformed_xml"),
    "bytes that are not the charset": Bad(
        envelope(patient="<姓名>珅</姓名>").encode("gb18030"), "malformed_xml"
    ),
    "a comment inside a value": Bad(envelope(patient="<姓名>欧<!-- -->阳</姓名>"), "xml_comment"),
    "too large": Bad(envelope(patient=f"<姓名>{'x' * LIMIT}</姓名>"), "too_large", 413),
    "JSON": Bad("{}", "content_type", 415, headers={"Content-Type": "application/json"}),
    "compressed": Bad(envelope(), "content_type", 415, headers=XML | {"Content-Encoding": "gzip"}),
    "a 1.2 envelope as text/xml": Bad(
        envelope(soap=SOAP12), "soap_version", faultcode="soap:VersionMismatch"
    ),
    "a header that must be understood": Bad(
        envelope(head='<a:Security xmlns:a="urn:a" s:mustUnderstand="1"/>'),
        "must_understand",
        reason="Header/Security",
        faultcode="soap:MustUnderstand",
    ),
    "two charsets": Bad(
        envelope(prolog='<?xml version="1.0" encoding="GB18030"?>').encode("gb18030"), "charset"
    ),
    "an unknown campus": Bad(envelope().replace(">HP<", ">XX<"), "unknown_campus", reason="消息头/机构代码"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_bad_request_is_a_fault_and_is_kept(origin: str, database: psycopg.Connection, name: str) -> None:
    bad = CASES[name]
    body = bad.body if isinstance(bad.body, bytes) else bad.body.encode()
    with httpx.Client(headers=AUTH) as http:
        response = http.post(f"{origin}/{bad.interface}", content=body, headers=bad.headers)
        assert response.status_code == bad.status
        fault = etree.fromstring(response.content).find(f".//{{{SOAP}}}Fault")
        assert fault is not None
        assert fault.findtext("faultcode") == bad.faultcode
        assert bad.reason in (fault.findtext("faultstring") or "")
        assert fault.findtext(".//{urn:yilian:upload:v1}代码") == bad.code
        row = database.execute("SELECT code, reason, message_type, body, size FROM bus.refusal").fetchall()
        assert [r[0] for r in row] == [bad.code]
        assert row[0][1] == fault.findtext("faultstring")
        assert row[0][2] == f"soap:{bad.interface}"
        if bad.status == 500:
            assert row[0][3:] == (body[: 64 * 1024], len(body))
        good = http.post(f"{origin}/patient", content=envelope("HIS-2").encode(), headers=XML)
        assert good.status_code == 200


def test_a_reason_holds_nothing_of_the_content(origin: str, database: psycopg.Connection) -> None:
    body = envelope(patient="<出生日期>SECRET-1990</出生日期>").encode()
    response = httpx.post(f"{origin}/patient", content=body, headers=AUTH | XML)
    assert b"SECRET" not in response.content
    row = database.execute("SELECT reason FROM bus.refusal").fetchone()
    assert row is not None
    assert "SECRET" not in row[0]


def test_what_does_not_fit_is_found_again_by_its_number_and_campus(
    origin: str, database: psycopg.Connection
) -> None:
    httpx.post(f"{origin}/patient", content=envelope(patient="<血型>O</血型>").encode(), headers=AUTH | XML)
    row = database.execute("SELECT facility, control_id, code FROM bus.refusal").fetchone()
    assert row == ("HP", "HIS-1", "schema")


def test_a_fault_of_soap_12_names_the_sender_in_two_languages(origin: str) -> None:
    body = envelope(patient="<血型>O</血型>", soap=SOAP12).encode()
    response = httpx.post(
        f"{origin}/patient", content=body, headers=AUTH | {"Content-Type": Version.V12.media_type}
    )
    assert response.status_code == 400
    assert response.headers["content-type"].startswith("application/soap+xml")
    fault = etree.fromstring(response.content)
    assert fault.findtext(f".//{{{SOAP12}}}Value") == "soap:Sender"
    texts = fault.findall(f".//{{{SOAP12}}}Text")
    assert [text.get("{http://www.w3.org/XML/1998/namespace}lang") for text in texts] == ["zh", "en"]


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Basic eDp5"}, {"Authorization": "Basic !"}, {"Authorization": "Bearer bad"}],
)
def test_without_credentials_nothing_is_read(
    origin: str, database: psycopg.Connection, headers: dict[str, str]
) -> None:
    response = httpx.post(f"{origin}/patient", content=envelope().encode(), headers=XML | headers)
    assert response.status_code == 401
    assert "Basic" in response.headers["www-authenticate"]
    assert database.execute("SELECT code, body FROM bus.refusal").fetchall() == [("unauthenticated", b"")]


def test_what_we_sent_ourselves_is_refused_and_kept(origin: str, database: psycopg.Connection) -> None:
    body = envelope().encode()
    headers = AUTH | XML | {"Via": "1.1 yilian-1.2.3, 1.1 edge"}
    response = httpx.post(f"{origin}/patient", content=body, headers=headers)
    assert response.status_code == 508
    assert database.execute("SELECT code, body FROM bus.refusal").fetchall() == [("loop", body)]


def test_a_bearer_token_signs_in(origin: str) -> None:
    headers = XML | {"Authorization": "Bearer good-token"}
    assert httpx.post(f"{origin}/patient", content=envelope().encode(), headers=headers).status_code == 200


def test_a_gb18030_document_is_taken_as_it_is(origin: str, database: psycopg.Connection) -> None:
    text = envelope(patient="<姓名>欧阳珅</姓名>", prolog='<?xml version="1.0" encoding="GB18030"?>')
    body = text.encode("gb18030")
    response = httpx.post(
        f"{origin}/patient", content=body, headers=AUTH | {"Content-Type": "text/xml; charset=gb18030"}
    )
    assert response.status_code == 200
    assert database.execute("SELECT body, charset FROM bus.message").fetchall() == [(body, "gb18030")]


def test_an_unknown_interface_is_not_found(origin: str) -> None:
    assert httpx.get(f"{origin}/nothing?wsdl").status_code == 404
    assert httpx.post(f"{origin}/nothing", headers=AUTH).status_code == 404


def test_a_body_without_a_length_is_cut_at_the_limit(origin: str, database: psycopg.Connection) -> None:
    chunks = (b"x" * 10_000 for _ in range(LIMIT // 10_000 + 2))
    response = httpx.post(f"{origin}/patient", content=chunks, headers=AUTH | XML)
    assert response.status_code == 413
    row = database.execute("SELECT code, length(body) FROM bus.refusal").fetchone()
    assert row == ("too_large", 64 * 1024)
