"""Templates, functions called by name, and stylesheets."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.rules.decision import Decision, Hold
from bus.rules.functions import FUNCTIONS
from bus.rules.lint import lint
from bus.rules.ruleset import RuleSet
from bus.rules.template import TemplateError, read_template
from bus.sources.opening import open_source
from bus.sources.rows import RowSource
from bus.sources.source import Envelope
from consortium.records.model import Patient
from tests.unit.bus.rules.test_ruleset import RULE, change, decide, folder, hold

CARD = "11010519491231002X"
STEPS = RULE.split("    name: name")[0] + "    LEAF\n"


def with_leaf(tmp_path: Path, leaf: str) -> Path:
    return folder(tmp_path, STEPS.replace("LEAF", leaf))


def patient(rules: Path, row: dict[str, Any]) -> Patient:
    return change(decide(rules, {"no": "1", **row})).patient


def test_a_template_makes_one_text_of_many_values(tmp_path: Path) -> None:
    rules = with_leaf(tmp_path, 'address: {template: "{city}{street}（{note}）{{}}"}')
    assert patient(rules, {"city": "广州市", "street": "天河路1号"}).address == "广州市天河路1号（）{}"
    assert patient(rules, {}).address is None


def test_a_template_is_converted_as_its_field_needs(tmp_path: Path) -> None:
    rules = with_leaf(tmp_path, 'birth_date: {template: "{y}-{m}-{d}"}')
    assert patient(rules, {"y": "1980", "m": "02", "d": "29"}).birth_date == date(1980, 2, 29)
    held = hold(decide(rules, {"no": "1", "y": "1981", "m": "02", "d": "29"}))
    assert (held.code, held.field) == ("impossible_date", "patient.birth_date")


@given(st.lists(st.one_of(st.just(None), st.text(alphabet="xy{} ", min_size=1)), min_size=1))
def test_a_template_gives_its_texts_and_values_in_order(parts: list[str | None]) -> None:
    written = "".join("{a}" if part is None else part.replace("{", "{{").replace("}", "}}") for part in parts)
    if None not in parts:
        with pytest.raises(TemplateError, match="write const"):
            read_template(written)
        return
    source = RowSource({"a": "1"}, Envelope("HY", "", "table:x"))
    assert read_template(written).fill(source) == "".join(part or "1" for part in parts)


@pytest.mark.parametrize(("text", "column"), [("{a", 1), ("a}", 2), ("{a}{}", 4), ("{a{b}}", 1), ("{a}}", 4)])
def test_a_template_whose_braces_do_not_fit_says_where(text: str, column: int) -> None:
    with pytest.raises(TemplateError) as caught:
        read_template(text)
    assert caught.value.column == column


def test_a_function_is_called_by_name(tmp_path: Path) -> None:
    rules = with_leaf(tmp_path, "sex: {call: id_card_sex, with: [{first: [card, old_card]}]}")
    assert patient(rules, {"old_card": CARD}).sex == "female"
    assert patient(rules, {"card": "not one"}).sex is None
    assert patient(rules, {}).sex is None


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("id_card_number", "11010519491231002x", CARD),
        ("id_card_number", "110105194912310021", None),
        ("id_card_birth_date", CARD, date(1949, 12, 31)),
        ("id_card_birth_date", "", None),
        ("id_card_sex", CARD, "female"),
        ("half_width", "ＡＢ１２　", "AB12"),
        ("yuan", "123450", Decimal("1234.50")),
        ("yuan", "-5", Decimal("-0.05")),
    ],
)
def test_each_function_gives_what_its_meaning_says(name: str, text: str, value: Any) -> None:
    assert FUNCTIONS[name].run(text) == value


def test_every_function_takes_absent_values() -> None:
    assert {name: f.run(*[None for _ in f.takes]) for name, f in FUNCTIONS.items()} == dict.fromkeys(
        FUNCTIONS
    )


def test_a_function_that_refuses_its_value_holds_and_quotes_nothing(tmp_path: Path) -> None:
    held = hold(decide(with_leaf(tmp_path, "phone: {call: yuan, with: [fen]}"), {"no": "1", "fen": "12.7"}))
    assert (held.code, held.step) == ("bad_field", "call yuan")
    assert "12.7" not in held.reason


@pytest.mark.parametrize(
    ("leaf", "code", "column"),
    [
        ('address: {template: "{city"}', "bad-template", 26),
        ('address: {template: "city"}', "bad-template", 26),
        ('address: {template: "{^.city}"}', "bad-path", 5),
        ("sex: {call: id_card_sx, with: [card]}", "unknown-function", 11),
        ("sex: {call: id_card_sex, with: [card, other]}", "wrong-arguments", 30),
        ("sex: {call: id_card_sex, with: [^.card]}", "bad-path", 37),
    ],
)
def test_a_mistake_in_a_step_is_named(tmp_path: Path, leaf: str, code: str, column: int) -> None:
    found = [f for f in lint(with_leaf(tmp_path, leaf)).findings if f.severity == "error"]
    assert [(f.code, f.line, f.column) for f in found] == [(code, 10, column)]


XML_RULE = """
name: test-xml
facility: HP
description: A patient in a shape of its own
match: msg.type == "xml:patient" && field("Kind") == "P"
kind: patient
xslt: flat.xsl
map:
  patient: {number: number, name: name}
"""
SHEET = """<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <!-- The codes of the form become element names. -->
  <xsl:template match="/">BODY</xsl:template>
</xsl:stylesheet>
"""
FLAT = """<flat>
    <number><xsl:value-of select="//item[@code='no']"/></number>
    <name><xsl:value-of select="//item[@code='na']"/></name>
  </flat>"""
FORM = '<form><Kind>P</Kind><item code="na">王珅</item><item code="no">HP1</item></form>'


def xml_rules(tmp_path: Path, body: str = FLAT, rule: str = XML_RULE) -> Path:
    (tmp_path / "xslt").mkdir()
    (tmp_path / "xslt" / "flat.xsl").write_text(SHEET.replace("BODY", body), encoding="utf-8")
    return folder(tmp_path, rule)


def decided(rules: Path, message_type: str = "xml:patient", body: str = FORM) -> Decision:
    source = open_source(body.encode(), "utf-8", Envelope("HP", "HIS", message_type))
    return RuleSet.load(rules).decide(source, "HP", message_type)


def test_a_stylesheet_stands_between_the_message_and_the_map(tmp_path: Path) -> None:
    made = change(decided(xml_rules(tmp_path))).patient
    assert (made.number, made.name) == ("HP1", "王珅")


@pytest.mark.parametrize(
    "body",
    [
        '<xsl:message terminate="yes"><xsl:value-of select="//item"/></xsl:message>',
        "<r><xsl:copy-of select=\"document('file:///etc/hostname')\"/></r>",
        "<r><xsl:copy-of select=\"document('http://127.0.0.1:1/')\"/></r>",
        "only text",
    ],
)
def test_a_stylesheet_that_fails_or_reaches_out_holds_the_message(tmp_path: Path, body: str) -> None:
    held = hold(decided(xml_rules(tmp_path, body)))
    assert (held.code, held.rule, held.step) == ("bad_transformation", "test-xml", "xslt flat.xsl")
    assert "王珅" not in held.reason


def test_a_message_that_is_no_xml_is_held_by_a_rule_that_needs_it(tmp_path: Path) -> None:
    rule = XML_RULE.replace('msg.type == "xml:patient" && field("Kind") == "P"', 'msg.sender == "HIS"')
    source = RowSource({"no": "1"}, Envelope("HP", "HIS", "rest:patient"))
    decision = RuleSet.load(xml_rules(tmp_path, rule=rule)).decide(source, "HP", "rest:patient")
    assert isinstance(decision.outcome, Hold)
    assert decision.outcome.code == "bad_transformation"


@pytest.mark.parametrize(
    ("body", "line", "said"),
    [
        ('<xsl:import href="other.xsl"/>', 3, "imports"),
        ("<open>", 3, "not well-formed"),
        ('<xsl:value-of select="//["/>', 3, "not XSLT"),
    ],
)
def test_a_stylesheet_with_a_mistake_is_named(tmp_path: Path, body: str, line: int, said: str) -> None:
    (found,) = (f for f in lint(xml_rules(tmp_path, body)).findings if f.severity == "error")
    assert (found.file, found.line, found.code) == ("xslt/flat.xsl", line, "bad-stylesheet")
    assert said in found.message


def test_a_stylesheet_with_a_doctype_is_refused(tmp_path: Path) -> None:
    rules = xml_rules(tmp_path)
    path = rules / "xslt" / "flat.xsl"
    path.write_text('<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]>' + path.read_text())
    assert "bad-stylesheet" in {f.code for f in lint(rules).findings}


@pytest.mark.parametrize("name", ["away.xsl", "../codes/sex.csv"])
def test_a_stylesheet_that_is_not_there(tmp_path: Path, name: str) -> None:
    rules = xml_rules(tmp_path, rule=XML_RULE.replace("flat.xsl", name))
    (found,) = (f for f in lint(rules).findings if f.severity == "error")
    assert (found.code, found.line) == ("unknown-stylesheet", 7)


def test_a_stylesheet_in_a_rule_of_other_messages_is_an_error(tmp_path: Path) -> None:
    rules = xml_rules(tmp_path, rule=XML_RULE.replace("xml:patient", "rest:patient"))
    assert "not-xml" in {f.code for f in lint(rules).findings}
