"""Schematron in a rule: what it lets through, what it holds, what it may not do."""

from __future__ import annotations

from pathlib import Path

import pytest

from bus.rules.decision import Decision, Hold
from bus.rules.lint import lint
from bus.rules.ruleset import RuleSet
from bus.rules.schematron import SchematronError, read_schematron
from bus.rules.trial import run_tests
from bus.sources.opening import open_source
from bus.sources.source import Envelope

RULE = """
name: test-xml
facility: HP
description: A patient whose form is checked
match: msg.type == "xml:patient"
kind: patient
schematron: [form.sch]
map:
  patient: {number: no, name: name}
tests:
  - name: without a phone number
    given: {type: "xml:patient", text: "<form><no>HP1</no><name>王珅</name></form>"}
    expect: {kind: patient, warnings: [F2]}
  - name: without a name
    given: {type: "xml:patient", text: "<form><no>HP1</no></form>"}
    expect: {held: schematron, field: form, rule: test-xml}
"""
SCHEMA = """<schema xmlns="http://purl.oclc.org/dsdl/schematron">
  <pattern><rule context="/form">
    <assert id="F1" test="TEST">缺少姓名 | the name is missing</assert>
    <assert id="F2" role="warning" test="phone">建议有电话 | a phone number should be there</assert>
    <report id="F3" test="count(no) &gt; 1">编号重复 | the number is there twice</report>
  </rule></pattern>
</schema>"""


def rules(tmp_path: Path, schema: str = SCHEMA, rule: str = RULE) -> Path:
    for name in ("schematron", "campuses/test", "codes"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "schematron" / "form.sch").write_text(schema.replace("TEST", "name"), encoding="utf-8")
    (tmp_path / "campuses" / "test" / "rule.yaml").write_text(rule, encoding="utf-8")
    return tmp_path


def decided(folder: Path, body: str) -> Decision:
    source = open_source(body.encode(), "utf-8", Envelope("HP", "HIS", "xml:patient"))
    return RuleSet.load(folder).decide(source, "HP", "xml:patient")


def test_a_rule_tests_what_its_schematron_holds_and_warns_of(tmp_path: Path) -> None:
    outcomes = run_tests(RuleSet.load(rules(tmp_path)))
    assert [one.differences for one in outcomes] == [(), ()]


def test_every_error_is_told_and_nobody_waits(tmp_path: Path) -> None:
    decision = decided(rules(tmp_path), "<form><no>1</no><no>2</no><phone>1</phone></form>")
    held = decision.outcome
    assert isinstance(held, Hold)
    told = ("F1 form: 缺少姓名 | the name is missing", "F3 form: 编号重复 | the number is there twice")
    assert held.reason == "; ".join(told)
    assert (held.step, held.field, decision.blocks) == ("schematron form.sch", "form", False)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("<pattern>", '<include href="other.sch"/><pattern>', "includes"),
        ("缺少姓名", '<value-of select="no"/>', "must not quote"),
        ('id="F1" ', "", "needs an id"),
        ("<pattern>", "<pattern><x xmlns=''/>", "no element of ISO Schematron"),
        ('test="TEST"', 'test="//["', "not ISO Schematron"),
        ("<pattern>", "<patern>", "not well-formed"),
    ],
)
def test_a_schematron_that_cannot_be_used_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    folder = rules(tmp_path, SCHEMA.replace(old, new))
    (found,) = (f for f in lint(folder).findings if f.severity == "error")
    assert (found.file, found.code) == ("schematron/form.sch", "bad-schematron")
    assert said in found.message


def test_a_doctype_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.sch"
    path.write_text('<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]>' + SCHEMA, encoding="utf-8")
    with pytest.raises(SchematronError, match="DOCTYPE"):
        read_schematron(path)


def test_a_schematron_reaches_no_file(tmp_path: Path) -> None:
    other = tmp_path / "other.xml"
    other.write_text("<a/>", encoding="utf-8")
    schema = SCHEMA.replace('test="phone"', f"test=\"document('{other.as_uri()}')/a\"")
    decision = decided(rules(tmp_path, schema), "<form><no>1</no><name>王珅</name></form>")
    held = decision.outcome
    assert isinstance(held, Hold)
    assert (held.code, held.step) == ("bad_transformation", "schematron form.sch")


@pytest.mark.parametrize("name", ["away.sch", "../codes/sex.csv"])
def test_a_schematron_that_is_not_there(tmp_path: Path, name: str) -> None:
    folder = rules(tmp_path, rule=RULE.replace("form.sch", name))
    (found,) = (f for f in lint(folder).findings if f.severity == "error")
    assert (found.code, found.line) == ("unknown-schematron", 7)


def test_a_schematron_in_a_rule_of_other_messages_is_an_error(tmp_path: Path) -> None:
    folder = rules(tmp_path, rule=RULE.replace('msg.type == "xml:patient"', 'msg.type == "rest:patient"'))
    assert "not-xml" in {f.code for f in lint(folder).findings}


def test_of_many_errors_the_first_are_told_and_the_rest_counted(tmp_path: Path) -> None:
    schema = SCHEMA.replace('context="/form"', 'context="/form/part"')
    held = decided(rules(tmp_path, schema), f"<form>{'<part/>' * 13}</form>").outcome
    assert isinstance(held, Hold)
    assert held.reason.count("F1 form/part[") == 10
    assert held.reason.endswith("and 3 more, which ./yilian documents validate lists")
