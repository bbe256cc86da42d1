"""XML from outside: one hardened parser, and XML as a source."""

from __future__ import annotations

import pytest

from bus.sources.source import Envelope, UnreadableError
from bus.sources.xml import XmlSource, parse_xml_source
from bus.sources.xml_parser import ForbiddenXmlError, MalformedXmlError, parse_xml

ENVELOPE = Envelope("HP", "HIS", "soap:patient")
BOMB = b'<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;">]><a>&y;</a>'


def source(text: str) -> XmlSource:
    return parse_xml_source(text.encode(), ENVELOPE)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"<!DOCTYPE a><a/>", "xml_doctype"),
        (b'<!DOCTYPE a SYSTEM "http://127.0.0.1/x"><a/>', "xml_doctype"),
        (BOMB, "xml_doctype"),
        ("<!DOCTYPE a><a/>".encode("utf-16"), "xml_doctype"),
        (b"<a>44<!-- x -->01</a>", "xml_comment"),
        (b"<a><b>44<!-- x --></b></a>", "xml_comment"),
        (b"<a><b><?x y?>44</b></a>", "xml_comment"),
        (b"<a>" * 150 + b"</a>" * 150, "xml_depth"),
    ],
)
def test_what_is_forbidden_is_refused(body: bytes, code: str) -> None:
    with pytest.raises(ForbiddenXmlError) as caught:
        parse_xml(body)
    assert caught.value.code == code


def test_more_than_the_limit_is_refused() -> None:
    with pytest.raises(ForbiddenXmlError, match="larger"):
        parse_xml(b"<a>" + b"x" * 100 + b"</a>", size_limit=50)


@pytest.mark.parametrize("body", [b"", b"<a>", b"<a>&nobody;</a>", b"<a><b></a>", b"\xff\xfe<"])
def test_what_is_not_well_formed_says_where_and_quotes_nothing(body: bytes) -> None:
    with pytest.raises(MalformedXmlError) as caught:
        parse_xml(body)
    assert "nobody" not in str(caught.value)


def test_a_comment_between_elements_is_taken_out() -> None:
    root = parse_xml("<病人><!-- 说明 --><姓名>王珅</姓名><!-- 尾 --></病人>".encode())
    assert [child.tag for child in root] == ["姓名"]


def test_paths_go_by_names_whatever_the_namespace() -> None:
    xml = source(
        '<p xmlns="urn:a"><病人 性别="男"><姓名> 王珅 </姓名></病人><项目>1</项目><项目>2</项目></p>'
    )
    assert xml.get("病人/姓名") == "王珅"
    assert xml.get("病人/@性别") == "男"
    assert xml.get("病人/住址") is None
    assert [part.get(".") for part in xml.each("项目")] == ["1", "2"]
    assert xml.cel()["root"] == "p"


def test_a_forbidden_body_is_held_by_its_code() -> None:
    with pytest.raises(UnreadableError) as caught:
        parse_xml_source(BOMB, ENVELOPE)
    assert caught.value.code == "xml_doctype"
