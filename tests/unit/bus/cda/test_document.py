"""The door: header, structure, what is refused; and the text that goes through whole."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from functools import cache

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lxml import etree

from bus.cda.heading import read_heading
from bus.cda.html import render
from bus.cda.intake import take
from bus.cda.kinds import KINDS as NAMED
from bus.cda.problem import DocumentError
from bus.cda.schema import structure
from bus.forms import parts
from bus.rules.decision import Hold
from bus.rules.ruleset import RuleSet
from bus.sources.cda import parse_cda
from bus.sources.source import Envelope, UnreadableError
from bus.sources.xml_parser import parse_xml
from consortium.records.model import Change
from runtime.settings import CHECKOUT
from simulators.cda.samples import KINDS, document
from simulators.hazards import hazardous_ideographs
from tests.unit.bus.cda.documents import DAY, SEED, body, drop, root, say

ENVELOPE = Envelope("HP", "EMR", "cda:C0007", "rest", "1")
XXE = '<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
HAZARDS = "".join(hazardous_ideographs())


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_taken_and_says_what_it_is(kind: str) -> None:
    made = document(SEED, DAY, kind)
    heading = take(made.body)
    assert heading.message_type == f"cda:{made.code}"
    assert (heading.number, heading.patient_number) == (made.number, made.patient)
    assert (heading.visit_number, heading.charset) == (made.visit, "utf-8")
    assert made.code in NAMED


@pytest.mark.parametrize("kind", KINDS)
def test_the_committed_samples_are_what_the_simulator_makes(kind: str) -> None:
    path = CHECKOUT / "rules" / "campuses" / "huangpu" / "samples" / f"cda-{kind}.xml"
    assert path.read_bytes() == document(SEED, DAY, kind).body


@pytest.mark.parametrize(
    ("change", "path", "english"),
    [
        (
            drop("v3:typeId"),
            "ClinicalDocument/templateId",
            "this element is not expected here; expected typeId",
        ),
        (drop("v3:custodian"), "ClinicalDocument/legalAuthenticator", "this element is not expected here"),
        (
            say("v3:effectiveTime", "value", "yesterday"),
            "ClinicalDocument/effectiveTime/@value",
            "the value breaks the limit pattern",
        ),
        (
            say("v3:id", "root", "not-an-oid"),
            "ClinicalDocument/id/@root",
            "the value breaks the limit pattern",
        ),
        (say("//v3:section[1]", "style", "x"), "ClinicalDocument/component", "is not expected here"),
    ],
)
def test_a_structure_that_is_wrong_is_told_by_place_without_the_value(
    change: Callable[..., None], path: str, english: str
) -> None:
    wrong = root("lab")
    change(wrong)
    first = next(structure(wrong))
    assert first.path.startswith(path)
    assert english in first.english
    assert "yesterday" not in first.english + first.chinese


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (
            "<ClinicalDocument",
            '<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]><ClinicalDocument',
            "xml_doctype",
        ),
        ("<title>检验报告", "<title>检验<!-- -->报告", "xml_comment"),
        ("<title>", "<title>" + "字" * 10_000_001, "malformed_xml"),
        ("<title>", "<title>" + "<a>" * 101 + "</a>" * 101, "xml_depth"),
        ("UTF-8", "no-such-charset", "malformed_xml"),
    ],
)
def test_hostile_xml_is_refused(old: str, new: str, code: str) -> None:
    with pytest.raises(DocumentError) as refused:
        take(body("lab").decode().replace(old, new, 1).encode())
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("kind", "old", "new", "code"),
    [
        ("lab", "urn:hl7-org:v3", "urn:hl7-org:v2", "not_a_document"),
        ("lab", "2.16.156.10011.2.4", "2.16.156.10011.2.5", "document_type"),
        ("lab", 'extension="HCD261120015"', 'extension=" "', "document_id"),
        ("lab", 'root="1.2.156.10011.99.2"', 'root="2.16.156.10011.1.19"', "patient_number"),
    ],
)
def test_a_header_that_cannot_be_routed_is_refused(kind: str, old: str, new: str, code: str) -> None:
    with pytest.raises(DocumentError) as refused:
        read_heading(parse_xml(body(kind).decode().replace(old, new, 1).encode()))
    assert refused.value.code == code


def test_a_soap_upload_is_opened_to_the_document_it_carries() -> None:
    inside = body("lab")
    text = b64encode(inside).decode()
    around = f'<a><CDA上传 xmlns="urn:yilian:upload:v1"><内容>{text}</内容></CDA上传></a>'
    source = parse_cda(around.encode(), ENVELOPE)
    assert source.get("title") == "检验报告"
    assert source.get("#document") == text
    with pytest.raises(UnreadableError, match="base64"):
        parse_cda(around.replace(text, "%%%").encode(), ENVELOPE)


@cache
def rules() -> RuleSet:
    return RuleSet.load(CHECKOUT / "rules")


TEXT = st.text(
    st.characters(codec="gb18030", exclude_categories=["Cc", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"])
    | st.sampled_from(HAZARDS),
    min_size=1,
    max_size=60,
)


@given(TEXT, st.sampled_from(["UTF-8", "GB18030"]))
@example(HAZARDS, "GB18030")
@example(HAZARDS, "UTF-8")
@example("<b>&amp;]]>", "GB18030")
def test_any_text_goes_through_whole_and_the_bytes_stay(text: str, charset: str) -> None:
    made = document(SEED, DAY, "lab", 1, charset=charset)
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    sent = made.body.replace("请结合临床。".encode(charset), escaped.encode(charset))
    heading = take(sent)
    decision = rules().decide(parse_cda(sent, ENVELOPE), "HP", heading.message_type)
    change = decision.outcome
    assert isinstance(change, Change), change
    assert change.reports[0].conclusion == text.strip()
    assert change.documents[0].content == sent


def test_the_page_takes_nothing_but_text_from_a_document() -> None:
    hostile = (
        '<paragraph onclick="x()">&lt;script&gt;alert(1)&lt;/script&gt;</paragraph>'
        '<script>alert(2)</script><linkHtml href="javascript:alert(3)">x</linkHtml>'
        '<table style="position:fixed" background="http://a/b"><tbody><tr><td>钾</td></tr></tbody></table>'
    )
    page = render(
        body("lab").decode().replace("<paragraph>请结合临床。</paragraph>", hostile, 1).encode()
    ).decode()
    assert page.startswith("<!DOCTYPE html>")
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    for forbidden in ("onclick", "href", "javascript:", "position:fixed", "http://"):
        assert forbidden not in page
    assert "<td>钾</td>" in page


def test_a_page_of_what_is_no_document_is_refused() -> None:
    with pytest.raises(DocumentError, match="CDA"):
        render(b"<a/>")


def test_what_is_shown_of_a_message_is_the_document_that_it_carries() -> None:
    text = b64encode(body("lab")).decode()
    around = f'<a><CDA上传 xmlns="urn:yilian:upload:v1"><内容>{text}</内容></CDA上传></a>'
    shown = {part.place: part.value for part in parts(around.encode(), "utf-8", "cda:C0007")}
    assert shown["title"] == "检验报告"
    assert shown["recordTarget/patientRole/patient/name"] == "徐轩"
    assert shown["versionNumber/@value"] == "1"


def test_a_summary_of_no_visit_is_recorded_without_one() -> None:
    wrong = root("summary")
    drop("v3:componentOf")(wrong)
    drop("v3:recordTarget/v3:patientRole/v3:id[@root='2.16.156.10011.1.11']")(wrong)
    source = parse_cda(etree.tostring(wrong), ENVELOPE)
    change = rules().decide(source, "HP", "cda:C0001").outcome
    assert isinstance(change, Change), change
    assert change.encounter is None
    assert change.documents[0].number == "HCD261120010"


def test_a_patient_number_of_another_campus_is_not_taken() -> None:
    other = body("lab").replace(b"1.2.156.10011.99.2", b"1.2.156.10011.99.3")
    held = rules().decide(parse_cda(other, ENVELOPE), "HP", "cda:C0007").outcome
    assert isinstance(held, Hold)
    assert (held.code, held.field) == ("bad_field", "patient.number")
