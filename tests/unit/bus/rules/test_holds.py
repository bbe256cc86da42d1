"""What holds a message names the rule, the step, the field that it read and the one that it was for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bus.rules import compile as compiling
from bus.rules.decision import Hold
from bus.rules.functions import Function
from bus.rules.records import GivenRecords
from bus.rules.ruleset import RuleSet
from bus.sources.opening import open_source
from bus.sources.rows import RowSource
from bus.sources.source import Envelope
from tests.unit.bus.rules.test_ruleset import RULE, folder, hold

HEAD = RULE.split("    name: name")[0]
FAILS = 'int(field("born")) == 1'
TWO = 'int(field("born")) + int(field("name")) == 1'
ROW = {"no": "1", "born": "soon", "name": "王珅", "sex": "9", "rows": [{"text": "x"}]}
WARD = (
    "name: ward\ndescription: a ward\nfacility: HY\nkind: webhook\naddress: https://ward.example/in\n"
    "secret: ward\n"
)


def held(rules: Path, row: dict[str, Any] = ROW) -> Hold:
    source = RowSource(row, Envelope("HY", "HIS", "table:patient"))
    return hold(RuleSet.load(rules).decide(source, "HY", "table:patient", GivenRecords({})))


def told(found: Hold) -> tuple[str, str | None, str | None, str | None]:
    return found.code, found.step, found.field, found.target


@pytest.mark.parametrize(
    ("leaf", "expected"),
    [
        ("birth_date: born", ("impossible_date", "convert date", "born", "patient.birth_date")),
        (
            "birth_date: {path: born, as: date}",
            ("impossible_date", "convert date", "born", "patient.birth_date"),
        ),
        (
            "sex: {path: sex, lookup: sex, on_miss: hold}",
            ("unmapped_code", "lookup sex", "sex", "patient.sex"),
        ),
        (
            "sex: {path: sex, lookup: sex, on_miss: reject}",
            ("rejected_code", "lookup sex", "sex", "patient.sex"),
        ),
        (f"phone: {{cel: '{FAILS}'}}", ("bad_expression", "map", "born", "patient.phone")),
        (f"phone: {{cel: '{TWO}'}}", ("bad_expression", "map", "patient.phone", "patient.phone")),
        (
            "birth_date: {cel: 'field(\"born\")'}",
            ("impossible_date", "convert date", "born", "patient.birth_date"),
        ),
        (
            'birth_date: {template: "{born}-01"}',
            ("impossible_date", "convert date", "born", "patient.birth_date"),
        ),
        (
            'birth_date: {template: "{born}{name}"}',
            ("impossible_date", "convert date", "patient.birth_date", "patient.birth_date"),
        ),
        ("phone: {call: yuan, with: [born]}", ("bad_field", "call yuan", "born", "patient.phone")),
        (
            "phone: {call: yuan, with: [{first: [away, born]}]}",
            ("bad_field", "call yuan", "patient.phone", "patient.phone"),
        ),
        (
            "birth_date: {first: [away, born]}",
            ("impossible_date", "convert date", "born", "patient.birth_date"),
        ),
        (
            "birth_date: {each: rows, path: text, join: '', as: date}",
            ("impossible_date", "convert date", "rows/text", "patient.birth_date"),
        ),
        (
            f"phone: {{each: rows, path: text, join: '', when: '{FAILS}'}}",
            ("bad_expression", "when", "born", "patient.phone"),
        ),
        (
            "phone: {record: patient, number: no, field: phone, required: true}",
            ("unknown_record", "record patient", "no", "patient.phone"),
        ),
    ],
)
def test_each_kind_of_leaf_names_what_it_read_and_what_it_was_for(
    tmp_path: Path, leaf: str, expected: tuple[str, str, str, str]
) -> None:
    found = held(folder(tmp_path, f"{HEAD}    {leaf}\n"))
    assert told(found) == expected
    assert found.rule == "test-patient"
    assert expected[3] in found.reason or found.step == "lookup sex"
    assert "soon" not in found.reason
    assert "王" not in found.reason


def test_an_expression_that_reads_several_fields_names_them_all(tmp_path: Path) -> None:
    assert "born, name" in held(folder(tmp_path, f"{HEAD}    phone: {{cel: '{TWO}'}}\n")).reason


def test_the_condition_of_an_object_names_the_object(tmp_path: Path) -> None:
    rule = HEAD.replace("  patient:\n", f"  patient:\n    when: '{FAILS}'\n")
    assert told(held(folder(tmp_path, rule))) == ("bad_expression", "when", "born", "patient")


def test_a_repeated_part_names_the_part_that_was_read(tmp_path: Path) -> None:
    rule = f"{HEAD}  encounter:\n    number: no\n  charges:\n    each: rows\n    amount: text\n"
    found = held(folder(tmp_path, rule))
    assert told(found) == ("bad_field", "convert decimal", "rows[1]/text", "charges.amount")


def test_a_match_that_fails_names_what_it_reads(tmp_path: Path) -> None:
    rules = folder(tmp_path, RULE.replace('msg.type == "table:patient"', FAILS))
    assert told(held(rules)) == ("bad_expression", "match", "born", "match")


def test_the_condition_of_a_destination_names_the_destination(tmp_path: Path) -> None:
    rules = folder(tmp_path, f"{HEAD}destinations:\n  - {{to: ward, when: '{FAILS}'}}\n")
    (rules / "destinations").mkdir()
    (rules / "destinations" / "ward.yaml").write_text(WARD)
    found = held(rules)
    assert told(found) == ("bad_expression", "destination ward", "born", "destinations.ward")
    assert found.rule == "test-patient"


def test_a_path_that_its_messages_cannot_be_asked_for_is_named(tmp_path: Path) -> None:
    rules = folder(tmp_path, f"{HEAD}    name: ^.name\n")
    assert told(held(rules)) == ("bad_path", "map", "^.", None)


def test_a_function_with_a_mistake_holds_and_quotes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(text: str) -> str:
        return {"known": "x"}[text]

    monkeypatch.setattr(compiling, "FUNCTIONS", {"wrong": Function(wrong, ("text",), "fails")})
    found = held(folder(tmp_path, f"{HEAD}    phone: {{call: wrong, with: [born]}}\n"))
    assert told(found) == ("bad_function", "call wrong", "born", "patient.phone")
    assert "KeyError" in found.reason
    assert "soon" not in found.reason


XML_RULE = """
name: test-patient
facility: HY
description: XML
match: msg.type == "soap:patient"
kind: patient
KEY
map:
  patient: {number: No}
"""
STOPS = """<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:template match="/">
<xsl:message terminate="yes">王珅</xsl:message>
</xsl:template>
</xsl:stylesheet>
"""
NOTHING = STOPS.replace('<xsl:message terminate="yes">王珅</xsl:message>', "")


@pytest.mark.parametrize("sheet", [STOPS, NOTHING])
def test_a_stylesheet_that_fails_names_itself_and_the_element_it_read(tmp_path: Path, sheet: str) -> None:
    rules = folder(tmp_path, XML_RULE.replace("KEY", "xslt: made.xsl"))
    (rules / "xslt").mkdir()
    (rules / "xslt" / "made.xsl").write_text(sheet)
    source = open_source(
        b"<Patient><No>1</No></Patient>", "utf-8", Envelope("HY", "", "soap:patient", "soap")
    )
    found = hold(RuleSet.load(rules).decide(source, "HY", "soap:patient"))
    assert told(found) == ("bad_transformation", "xslt made.xsl", "Patient", "map")
    assert found.rule == "test-patient"
    assert "王珅" not in found.reason
