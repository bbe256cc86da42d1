"""SOAP out: a WSDL that is pinned, envelopes that it takes, and replies that say what became of a message."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from lxml import etree

from adapters.exchange import Reply
from adapters.soap.contract import Contract, signed
from adapters.soap.interfaces import NAMESPACE, interfaces
from adapters.soap.outbound import SoapTransport
from adapters.soap.replies import judged
from adapters.soap.versions import Version
from adapters.soap.wsdl import render
from bus.delivery.shaping import filled
from bus.delivery.transport import Outgoing, UnsendableError, Verdict
from bus.rules.destinations import SoapDestination
from bus.rules.sending.pins import SUMS, read_pinned
from bus.rules.sending.soap import SoapAnswer
from bus.rules.spec import Form
from consortium.errors import PermanentError

WSDL = render(interfaces()["patient"], "http://nowhere.example/")
PATIENT: Mapping[str, Any] = {
    "消息头": {"消息编号": "id", "发送系统": {"const": "HIS"}, "机构代码": {"const": "HP"}, "时间": "at"},
    "患者信息": {"患者编号": "no", "姓名": "name"},
}
ROW = b'{"id": "M1", "at": "2026-11-20T09:00:00+08:00", "no": "P1", "name": "\xe6\xac\xa7\xe9\x98\xb3"}'
WSSE = "{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd}"
WSU = "{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd}"
HIP = """<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:s="http://schemas.xmlsoap.org/wsdl/soap/"
 xmlns:x="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:hip" targetNamespace="urn:hip">
<types><x:schema targetNamespace="urn:hip" elementFormDefault="qualified">%s
 <x:element name="Send"><x:complexType><x:sequence><x:element name="action" type="x:string"/>
 <x:element name="message" type="x:string"/></x:sequence></x:complexType></x:element>
 <x:element name="SendResponse"><x:complexType><x:sequence><x:element name="SendResult" type="x:string"/>
 </x:sequence></x:complexType></x:element></x:schema></types>
<message name="in"><part name="p" element="t:Send"/></message>
<message name="out"><part name="p" element="t:SendResponse"/></message>
<portType name="Hip"><operation name="Send"><input message="t:in"/><output message="t:out"/></operation>
</portType>
<binding name="b" type="t:Hip"><s:binding transport="http://schemas.xmlsoap.org/soap/http"/>
<operation name="Send"><s:operation soapAction="urn:hip:Send"/><input><s:body use="literal"/></input>
<output><s:body use="literal"/></output></operation></binding>
<service name="Hip"><port name="HipSoap" binding="t:b"><s:address location="http://elsewhere.example/"/></port>
</service></definitions>"""


def spec(**more: Any) -> SoapDestination:
    values: dict[str, Any] = {
        "name": "emr",
        "description": "of the test",
        "facility": "HP",
        "kind": "soap",
        "address": "https://emr.example/in",
        "wsdl": "a.wsdl",
        "operation": "UploadPatient",
        "arguments": PATIENT,
        **more,
    }
    return SoapDestination.model_validate(values)


def hip(extra: str = "", **more: Any) -> tuple[SoapDestination, Contract]:
    arguments = {"action": {"const": "PatientAdd"}, "message": {"message": "text"}}
    made = spec(operation="Send", arguments=arguments, **more)
    return made, Contract(made, {"a.wsdl": (HIP % extra).encode()})


def row(body: bytes = ROW, message_type: str = "json:patient", form: Form = Form.RAW) -> Outgoing:
    return Outgoing(7, 1, 7, message_type, "utf-8", form, body, datetime.now(UTC))


@pytest.mark.parametrize(("port", "version"), [("Soap11", Version.V11), ("Soap12", Version.V12)])
def test_the_port_says_the_version_and_the_shape_makes_the_element(port: str, version: Version) -> None:
    made = spec(port=port)
    contract = Contract(made, {"a.wsdl": WSDL})
    envelope = contract.envelope(filled(made.arguments or {}, row()))
    assert contract.version is version
    assert envelope.tag == f"{{{version.value}}}Envelope"
    [body] = envelope
    [element] = body
    assert element.tag == f"{{{NAMESPACE}}}患者上传"
    assert [each.text for each in element.iter("{*}消息编号", "{*}姓名")] == ["M1", "欧阳"]
    action = f'"{NAMESPACE}:UploadPatient"'
    headers = contract.headers()
    assert action in (headers["soapaction"] if version is Version.V11 else headers["content-type"])


def test_a_message_that_is_the_element_is_sent_as_it_is_in_another_charset_too() -> None:
    contract = Contract(spec(arguments=None), {"a.wsdl": WSDL})
    text = f'<?xml version="1.0" encoding="GBK"?><患者上传 xmlns="{NAMESPACE}"><消息头/></患者上传>'
    envelope = contract.around(text.encode("gbk"))
    assert envelope[0][0].tag == f"{{{NAMESPACE}}}患者上传"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"<other/>", "other_element"),
        (b"MSH|^~", "not_xml"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "not_xml"),
    ],
)
def test_what_is_not_the_element_is_not_sent(body: bytes, code: str) -> None:
    with pytest.raises(UnsendableError) as raised:
        Contract(spec(arguments=None), {"a.wsdl": WSDL}).around(body)
    assert raised.value.code == code


def test_a_value_that_the_wsdl_misses_is_named_and_none_is_quoted() -> None:
    made = spec()
    contract = Contract(made, {"a.wsdl": WSDL})
    with pytest.raises(UnsendableError, match="Missing element 消息编号") as raised:
        contract.envelope(filled(made.arguments or {}, row(ROW.replace(b'"id"', b'"other"'))))
    assert "欧阳" not in str(raised.value)


def test_a_whole_message_goes_as_text_in_one_argument() -> None:
    made, contract = hip()
    envelope = contract.envelope(filled(made.arguments or {}, row()))
    assert [each.text for each in envelope.iter("{urn:hip}action", "{urn:hip}message")] == [
        "PatientAdd",
        ROW.decode(),
    ]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"operation": "Upload"}, "no operation Upload in that port; it has UploadPatient"),
        ({"port": "Soap13"}, "no port Soap13; it has Soap11, Soap12"),
        ({"service": "Other"}, "no service Other"),
        ({"arguments": {"患者": "x"}}, "UploadPatient takes no 患者; it takes 消息头, 患者信息"),
        ({"arguments": {"患者信息": {"姓": "x"}}}, "UploadPatient.患者信息 takes no 姓; it takes 患者编号"),
    ],
)
def test_what_the_wsdl_does_not_have_is_named_at_the_start(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(PermanentError, match=said):
        Contract(spec(**changed), {"a.wsdl": WSDL})


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ('<x:import namespace="urn:b" schemaLocation="http://127.0.0.1:9/b.xsd"/>', "127.0.0.1:9/b.xsd"),
        ('<x:import namespace="urn:b" schemaLocation="b.xsd"/>', "b.xsd, which is not pinned"),
        ('<x:import namespace="urn:b" schemaLocation="../../../../etc/passwd"/>', "which is not pinned"),
        ('<x:import namespace="urn:b" schemaLocation="file:///etc/passwd"/>', "which is not pinned"),
    ],
)
def test_nothing_is_read_that_is_not_pinned(extra: str, said: str) -> None:
    with pytest.raises(PermanentError, match=said):
        hip(extra)


def test_a_wsdl_with_a_doctype_does_not_reach_zeeps_parser() -> None:
    bomb = b'<!DOCTYPE a [<!ENTITY b "bbbb">]>' + WSDL.partition(b"?>")[2]
    with pytest.raises(PermanentError, match=r"a\.wsdl is not taken: a DOCTYPE"):
        Contract(spec(), {"a.wsdl": bomb})
    with pytest.raises(PermanentError, match=r"a\.wsdl has no service; it has none"):
        Contract(spec(), {"a.wsdl": b"<nothing/>"})


def test_a_password_goes_as_text_or_as_a_digest_that_is_new_each_time() -> None:
    def token(digest: bool) -> etree._Element:
        made, contract = hip(security={"user": "yilian", "secret": "emr", "digest": digest})
        envelope = signed(contract.envelope({"action": "a", "message": "m"}), made, "a password")
        [found] = envelope.iter(f"{WSSE}UsernameToken")
        return found

    def text(found: etree._Element, name: str) -> str:
        return found.findtext(name) or ""

    plain = token(False)
    assert (text(plain, f"{WSSE}Username"), text(plain, f"{WSSE}Password")) == ("yilian", "a password")
    one, two = token(True), token(True)
    nonce, created = base64.b64decode(text(one, f"{WSSE}Nonce")), text(one, f"{WSU}Created")
    expected = hashlib.sha1(nonce + created.encode() + b"a password").digest()  # noqa: S324 - the profile's
    assert text(one, f"{WSSE}Password") == base64.b64encode(expected).decode()
    assert created.endswith("Z")
    assert text(one, f"{WSSE}Nonce") != text(two, f"{WSSE}Nonce")


def reply(status: int, body: bytes, *, whole: bool = True) -> Reply:
    return Reply(status, httpx.Headers(), body, whole)


def said(body: str, version: Version = Version.V11) -> bytes:
    return f'<e:Envelope xmlns:e="{version.value}"><e:Body>{body}</e:Body></e:Envelope>'.encode()


def v12(code: str, sub: str = "", detail: str = "") -> bytes:
    inner = f"<e:Subcode><e:Value>{sub}</e:Value></e:Subcode>" if sub else ""
    fault = f"<e:Fault><e:Code><e:Value>e:{code}</e:Value>{inner}</e:Code>{detail}</e:Fault>"
    return said(fault, Version.V12)


def v11(code: str) -> bytes:
    return said(f"<e:Fault><faultcode>{code}</faultcode><faultstring>欧阳珅</faultstring></e:Fault>")


@pytest.mark.parametrize(
    ("given", "verdict", "code"),
    [
        (reply(200, said("<ok/>")), Verdict.TAKEN, "200"),
        (reply(500, v11("e:Client")), Verdict.NEVER, "Client"),
        (reply(500, v11("e:Client.Schema")), Verdict.NEVER, "Client.Schema"),
        (reply(200, v11("e:Client")), Verdict.NEVER, "Client"),
        (reply(500, v11("e:Server")), Verdict.LATER, "Server"),
        (reply(500, v11("wsse:FailedAuthentication")), Verdict.WRONG_DOOR, "FailedAuthentication"),
        (reply(500, v11("e:MustUnderstand")), Verdict.WRONG_DOOR, "MustUnderstand"),
        (reply(400, v12("Sender")), Verdict.NEVER, "Sender"),
        (reply(400, v12("Sender", "wsse:InvalidSecurity")), Verdict.WRONG_DOOR, "Sender/InvalidSecurity"),
        (reply(500, v12("Receiver")), Verdict.LATER, "Receiver"),
        (
            reply(500, v12("Receiver", detail="<e:Detail><e:Value>FailedCheck</e:Value></e:Detail>")),
            Verdict.LATER,
            "Receiver",
        ),
        (reply(200, b"<html>sign in</html>"), Verdict.UNSURE, "no_soap"),
        (reply(200, b""), Verdict.UNSURE, "no_soap"),
        (reply(200, said("<ok/>"), whole=False), Verdict.UNSURE, "no_soap"),
        (reply(200, b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'), Verdict.UNSURE, "no_soap"),
        (reply(404, b"not here"), Verdict.WRONG_DOOR, "404"),
        (reply(502, b"<html/>"), Verdict.UNSURE, "502"),
        (reply(503, b""), Verdict.LATER, "503"),
    ],
)
def test_a_reply_says_what_became_of_the_message(given: Reply, verdict: Verdict, code: str) -> None:
    found = judged(given, None, one_way=False)
    assert (found.verdict, found.code, found.raw) == (verdict, code, given.body)


def test_a_one_way_operation_is_taken_by_an_empty_answer() -> None:
    assert judged(reply(202, b""), None, one_way=True).verdict is Verdict.TAKEN


@pytest.mark.parametrize(
    ("inner", "verdict"),
    [
        ("<Response><Code>AA</Code></Response>", Verdict.TAKEN),
        ("<?xml version='1.0' encoding='GBK'?><Response><Code>AE</Code></Response>", Verdict.LATER),
        ("<Response><Code>-1</Code></Response>", Verdict.NEVER),
        ("<Response/>", Verdict.UNSURE),
        ("欧阳珅", Verdict.UNSURE),
    ],
)
def test_a_code_inside_a_text_that_is_xml_is_found(inner: str, verdict: Verdict) -> None:
    answer = SoapAnswer(inside="SendResult", code="Code", taken=("AA",), later=("AE",))
    body = said(f"<SendResponse><SendResult><![CDATA[{inner}]]></SendResult></SendResponse>")
    assert judged(reply(200, body), answer, one_way=False).verdict is verdict


def test_a_changed_or_missing_file_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "emr"
    folder.mkdir()
    with pytest.raises(PermanentError, match=r"no emr/SHA256SUMS: in emr/ run: sha256sum"):
        read_pinned(folder)
    (folder / SUMS).write_text(f"{hashlib.sha256(WSDL).hexdigest()}  a.wsdl\n")
    with pytest.raises(PermanentError, match=r"emr/a\.wsdl cannot be read"):
        read_pinned(folder)
    (folder / "a.wsdl").write_bytes(WSDL)
    SoapTransport(spec(), folder, {})
    (folder / "a.wsdl").write_bytes(WSDL + b" ")
    with pytest.raises(PermanentError, match=r"emr/a\.wsdl is not the file that SHA256SUMS lists"):
        read_pinned(folder)
    (folder / SUMS).write_text("../a.wsdl\n")
    with pytest.raises(PermanentError, match="a line that is no digest and name"):
        read_pinned(folder)


def test_a_secret_that_is_not_set_is_named(tmp_path: Path) -> None:
    (tmp_path / SUMS).write_text(f"{hashlib.sha256(WSDL).hexdigest()}  a.wsdl\n")
    (tmp_path / "a.wsdl").write_bytes(WSDL)
    made = spec(security={"user": "yilian", "secret": "emr"})
    with pytest.raises(PermanentError, match="YILIAN_DELIVERY_SECRETS__EMR"):
        SoapTransport(made, tmp_path, {})
