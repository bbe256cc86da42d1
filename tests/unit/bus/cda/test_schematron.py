"""Every assertion of rules/schematron holds for a good document, and fires for one that breaks it alone."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from bus.rules.schematron import Schematron, Severity, read_schematron
from runtime.settings import CHECKOUT
from simulators.cda.samples import KINDS
from tests.unit.bus.cda.documents import Change, blank, drop, found, root, say, unsay

FOLDER = CHECKOUT / "rules" / "schematron"
FILES = {kind: f"cda-{kind}.sch" for kind in KINDS} | {"herbs": "cda-prescription.sch"}
ROLE = "v3:recordTarget/v3:patientRole"
CHINESE_AND_ENGLISH = re.compile(r".*[\u4e00-\u9fff].* \| [A-Za-z0-9' ].*")


def section(code: str) -> str:
    return f"//v3:section[v3:code/@code='{code}']"


def value(code: str) -> str:
    return f"//v3:observation[v3:code/@code='{code}']/v3:value"


def number(arc: int) -> str:
    return f"{ROLE}/v3:id[@root='2.16.156.10011.1.{arc}']"


def without(code: str) -> Change:
    return drop(f"//v3:component[v3:section/v3:code/@code='{code}']")


HEADER: dict[str, Change] = {
    "H01": say("v3:realmCode", "code", "US"),
    "H02": say("v3:typeId", "extension", "POCD_HD000040"),
    "H03": say("v3:templateId", "root", "2.16.156.10011.2.1.1.99"),
    "H04": say("v3:id", "root", "1.2.3"),
    "H05": blank("v3:title"),
    "H06": say("v3:effectiveTime", "value", "2026"),
    "H07": unsay("v3:confidentialityCode", "code"),
    "H08": say("v3:languageCode", "code", "en"),
    "H09": drop("v3:setId"),
    "H10": drop("v3:component/v3:structuredBody/v3:component"),
    "H11": drop("v3:legalAuthenticator"),
    "H12": drop("v3:relatedDocument"),
    "H13": say("v3:relatedDocument/v3:parentDocument/v3:id", "extension", "HCD261120015-2"),
    "H14": say("v3:relatedDocument/v3:parentDocument/v3:setId", "extension", "another"),
    "H20": drop(f"{ROLE}/v3:id[starts-with(@root, '1.2.156.10011.99')]"),
    "H21": blank(f"{ROLE}/v3:patient/v3:name"),
    "H22": say(f"{ROLE}/v3:patient/v3:administrativeGenderCode", "codeSystem", "2.16.840.1.113883.5.1"),
    "H23": drop(f"{ROLE}/v3:patient/v3:birthTime | {ROLE}/v3:patient/v3:age"),
    "H24": say(f"{ROLE}/v3:patient/v3:id", "extension", "440106"),
    "H30": drop("v3:author/v3:time"),
    "H31": blank("v3:author//v3:name"),
    "H40": say("v3:custodian//v3:id", "root", "1.2.3"),
    "H41": blank("v3:custodian//v3:name"),
    "H50": unsay(section("29548-5") + "/v3:code", "code", "displayName"),
    "H51": drop(section("29548-5") + "/v3:text"),
    "H60": unsay(value("DE04.30.018.00"), "code"),
}
"""Of a laboratory report's second version."""
BODIES: dict[str, tuple[str, Change]] = {
    "S01": ("summary", without("48765-2")),
    "S02": ("summary", without("11348-0")),
    "S03": ("summary", unsay(value("DE05.01.024.00"), "code")),
    "O01": ("outpatient", drop(number(11))),
    "O02": ("outpatient", blank(value("DE04.01.119.00"))),
    "O03": ("outpatient", without("10164-2")),
    "O04": ("outpatient", unsay(value("DE05.01.024.00"), "code")),
    "O05": ("outpatient", without("18776-5")),
    "P01": ("prescription", drop(number(20))),
    "P02": ("prescription", drop("//v3:entry[v3:substanceAdministration]")),
    "P03": ("herbs", without("29548-5")),
    "P10": ("prescription", blank("//v3:manufacturedLabeledDrug/v3:name")),
    "P11": ("herbs", unsay("//v3:manufacturedLabeledDrug/v3:code", "code")),
    "P12": ("prescription", unsay("//v3:doseQuantity", "unit")),
    "P13": ("prescription", drop("//v3:routeCode")),
    "E01": ("exam", drop(number(32))),
    "E02": ("exam", unsay(value("DE04.30.019.00"), "code")),
    "E03": ("exam", blank(value("DE04.50.131.00"))),
    "E04": ("exam", blank(value("DE04.50.132.00"))),
    "E05": ("exam", unsay(value("DE04.30.018.00"), "code")),
    "L01": ("lab", drop(number(33))),
    "L02": ("lab", unsay(value("DE04.30.018.00"), "code")),
    "L03": ("lab", drop("//v3:entry[v3:organizer]")),
    "L10": ("lab", unsay(value("DE04.30.019.00"), "code")),
    "L11": ("lab", unsay(value("DE04.30.015.00"), "value")),
    "L12": ("lab", blank(value("DE04.30.016.00"))),
    "U01": ("surgery", without("10219-4")),
    "U02": ("surgery", drop("//v3:entry[v3:procedure]")),
    "U03": ("surgery", without("10218-6")),
    "U04": ("surgery", blank(value("DE05.10.063.00"))),
    "U05": ("surgery", without("10213-7")),
    "U10": ("surgery", say("//v3:procedure/v3:code", "codeSystem", "1.2.3")),
    "U11": ("surgery", drop("//v3:procedure/v3:effectiveTime/v3:high")),
    "U12": ("surgery", blank("//v3:procedure//v3:performer//v3:name")),
    "D01": ("discharge", drop(number(12))),
    "D02": ("discharge", without("46241-6")),
    "D03": ("discharge", without("11535-2")),
    "D04": ("discharge", without("8648-8")),
    "D05": ("discharge", blank(value("DE06.00.287.00"))),
    "D06": ("discharge", drop("v3:componentOf//v3:effectiveTime/v3:high")),
}


@cache
def schema(name: str) -> Schematron:
    return read_schematron(FOLDER / name)


def ids(name: str) -> set[str]:
    return set(re.findall(r'<assert id="(\w+)"', (FOLDER / name).read_text(encoding="utf-8")))


@pytest.mark.parametrize("kind", KINDS)
def test_a_good_document_breaks_nothing(kind: str) -> None:
    good = root(kind, 4)
    assert schema("cda-header.sch").violations(good) == []
    assert [one for one in schema(FILES[kind]).violations(good) if one.severity is Severity.ERROR] == []


@pytest.mark.parametrize("id_", HEADER)
def test_each_assertion_of_the_header_fires(id_: str) -> None:
    wrong = root("lab", 1, 2)
    HEADER[id_](wrong)
    fired = schema("cda-header.sch").violations(wrong)
    assert id_ in {one.id for one in fired}
    assert all(one.path.startswith("ClinicalDocument") for one in fired)


@pytest.mark.parametrize("id_", BODIES)
def test_each_assertion_of_a_kind_fires(id_: str) -> None:
    kind, change = BODIES[id_]
    wrong = root(kind, 4)
    change(wrong)
    assert id_ in {one.id for one in schema(FILES[kind]).violations(wrong)}


def test_a_long_prescription_warns() -> None:
    wrong = root("prescription")
    [first, *_] = found(wrong, "//v3:entry[v3:substanceAdministration]")
    parent = first.getparent()
    assert parent is not None
    for _ in range(6):
        parent.append(found(root("prescription"), "//v3:entry[v3:substanceAdministration]")[0])
    [warned] = [one for one in schema("cda-prescription.sch").violations(wrong) if one.id == "P04"]
    assert warned.severity is Severity.WARNING


def test_no_assertion_is_without_a_document_that_breaks_it() -> None:
    assert ids("cda-header.sch") == HEADER.keys()
    shown = {*BODIES, "P04"}
    assert set().union(*(ids(name) for name in FILES.values())) == shown


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.sch")), ids=lambda path: path.name)
def test_each_text_is_in_chinese_and_english(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    said = re.findall(r"<assert [^>]*>([^<]*)</assert>", text)
    assert said
    assert [one for one in said if CHINESE_AND_ENGLISH.fullmatch(one) is None] == []


def test_a_violation_names_the_element_among_its_like() -> None:
    wrong = root("lab", 4)
    unsay(value("DE04.30.019.00"), "code")(wrong)
    paths = [one.path for one in schema("cda-lab.sch").violations(wrong)]
    start = "ClinicalDocument/component/structuredBody/component[2]/section"
    assert paths[:2] == [f"{start}/entry[2]/organizer", f"{start}/entry[3]/organizer"]
