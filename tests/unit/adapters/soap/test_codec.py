"""From a SOAP request to an arrival."""

from __future__ import annotations

import contextlib
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from adapters.soap import codec
from adapters.soap.faults import FaultError
from adapters.soap.interfaces import interfaces
from adapters.soap.versions import Version
from bus.envelope import Outcome, Receipt
from bus.sources.opening import open_source
from bus.sources.source import Envelope

LIMIT = 1_000_000
PATIENT = interfaces()["patient"]


def envelope(
    name: str = "欧阳珅", time: str = "2026-11-20T09:30:00", charset: str = "UTF-8", phone: str = "1"
) -> bytes:
    """Return a patient upload."""
    tree = etree.fromstring(
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>'
        '<患者上传 xmlns="urn:yilian:upload:v1"><消息头><消息编号> HIS-1 </消息编号><发送系统>HIS</发送系统>'
        f"<机构代码>HP</机构代码><时间>{time}</时间></消息头><患者信息><患者编号>HP1</患者编号><姓名/><电话>{phone}</电话>"
        "</患者信息></患者上传></e:Body></e:Envelope>"
    )
    element = tree.find(".//{urn:yilian:upload:v1}姓名")
    assert element is not None
    element.text = name
    text = etree.tostring(tree, xml_declaration=True, encoding=charset)
    assert isinstance(text, bytes)
    return text


def read(body: bytes, content_type: str = "text/xml") -> codec.Content:
    """Parse a SOAP 1.1 request."""
    return codec.read(body, content_type, Version.V11, LIMIT)


def digest(body: bytes) -> bytes:
    """Return a request's digest."""
    return codec.digest(read(body).payload)


def test_a_request_becomes_an_arrival() -> None:
    body = envelope()
    content = read(body)
    codec.check(content, PATIENT)
    arrival = codec.arrival(content, body, PATIENT)
    assert arrival.body == body
    assert (arrival.facility, arrival.sender, arrival.control_id) == ("HP", "HIS", "HIS-1")
    assert (arrival.message_type, arrival.patient_number, arrival.visit_number) == (
        "soap:patient",
        "HP1",
        None,
    )
    assert (arrival.message_time, arrival.charset, arrival.endpoint) == (
        "2026-11-20T09:30:00",
        "utf-8",
        "/soap/patient",
    )


NAMES = st.text(
    st.characters(codec="gb18030", exclude_categories=("Cc", "Cs", "Cn", "Co")), min_size=1, max_size=20
).filter(lambda name: name.strip() == name)


@pytest.mark.parametrize("charset", ["UTF-8", "GB18030", "UTF-16"])
@given(name=NAMES)
def test_a_name_survives_in_any_charset(charset: str, name: str) -> None:
    body = envelope(name, charset=charset)
    content = read(body)
    codec.check(content, PATIENT)
    arrival = codec.arrival(content, body, PATIENT)
    source = open_source(arrival.body, arrival.charset, Envelope("HP", "HIS", "soap:patient"))
    assert source.get("Body/患者上传/患者信息/姓名") == name.strip()


def test_the_digest_leaves_out_the_time_and_nothing_else() -> None:
    assert digest(envelope()) == digest(envelope(time="2026-11-20T10:00:00"))
    assert digest(envelope()) == digest(envelope(charset="GB18030"))
    assert digest(envelope()) != digest(envelope(phone="2"))
    assert digest(envelope()) != digest(envelope(name="欧阳坤"))


@pytest.mark.parametrize(
    ("charset", "content_type", "found"),
    [
        ("UTF-8", "text/xml", "utf-8"),
        ("UTF-8", 'text/xml; charset="utf-8"', "utf-8"),
        ("GBK", "text/xml; charset=gb2312", "gb18030"),
    ],
)
def test_the_charset_is_named_as_python_decodes_it(charset: str, content_type: str, found: str) -> None:
    assert read(envelope(charset=charset), content_type).charset == found


@pytest.mark.parametrize("content_type", ["text/xml; charset=utf-16", "text/xml; charset=klingon"])
def test_a_charset_that_does_not_agree_is_refused(content_type: str) -> None:
    with pytest.raises(FaultError) as refused:
        read(envelope(), content_type)
    assert refused.value.fault.code in ("charset", "unknown_charset")


@given(st.binary(max_size=200) | st.text(string.printable, max_size=200).map(str.encode))
def test_whatever_comes_is_a_fault_and_never_an_error(body: bytes) -> None:
    with pytest.raises(FaultError):
        read(body)


@given(st.data())
def test_a_request_with_a_byte_changed_is_read_or_refused(data: st.DataObject) -> None:
    body = bytearray(envelope())
    body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(FaultError):  # any other error fails the test
        codec.check(read(bytes(body)), PATIENT)


def test_the_answer_depends_on_the_stored_message_alone() -> None:
    heading = read(envelope()).heading
    stored, again = (
        codec.answer(Receipt(7, outcome), heading, Version.V12)
        for outcome in (Outcome.STORED, Outcome.DUPLICATE)
    )
    assert stored == again
    assert etree.fromstring(stored).findtext(".//{urn:yilian:upload:v1}平台编号") == "7"
