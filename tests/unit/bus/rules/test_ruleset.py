"""Rules decide: the first that matches, codes mapped or held, and every mistake named by file and line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bus.rules.decision import Decision, Hold
from bus.rules.loader import load_rules
from bus.rules.ruleset import InvalidRulesError, RuleSet
from bus.rules.spec import OrderClass
from bus.rules.trial import run_tests
from bus.sources.rows import RowSource
from bus.sources.source import Envelope
from consortium.records.model import Change
from runtime.settings import CHECKOUT

RULE = """
name: test-patient
facility: HY
description: A patient of a table
match: msg.type == "table:patient"
kind: patient
map:
  patient:
    number: no
    name: name
    sex: {path: sex, lookup: sex, on_miss: ON_MISS, default: unknown}
    birth_date: born
"""
CODES = "facility,code,target,name,system\nHY,1,male,男,\n*,2,female,女,\n"


def folder(tmp_path: Path, rule: str = RULE, on_miss: str = "hold", **files: str) -> Path:
    (tmp_path / "campuses" / "huiya").mkdir(parents=True)
    (tmp_path / "codes").mkdir()
    (tmp_path / "shared").mkdir()
    (tmp_path / "campuses" / "huiya" / "10-patient.yaml").write_text(rule.replace("ON_MISS", on_miss))
    (tmp_path / "codes" / "sex.csv").write_text(CODES)
    for name, text in files.items():
        (tmp_path / name.replace("__", "/")).with_suffix(".yaml").write_text(text)
    return tmp_path


def decide(rules: Path, row: dict[str, Any], message_type: str = "table:patient") -> Decision:
    source = RowSource(row, Envelope("HY", "tables", message_type))
    return RuleSet.load(rules).decide(source, "HY", message_type)


def hold(decision: Decision) -> Hold:
    assert isinstance(decision.outcome, Hold)
    return decision.outcome


def change(decision: Decision) -> Change:
    assert isinstance(decision.outcome, Change)
    return decision.outcome


def test_a_row_becomes_a_change(tmp_path: Path) -> None:
    decision = decide(folder(tmp_path), {"no": "1", "name": "王珅", "sex": "1", "born": "1980-01-01"})
    assert change(decision).patient.sex == "male"
    assert (decision.rule, decision.order, decision.waits) == ("test-patient", OrderClass.IDENTITY, True)


def test_a_row_of_the_table_for_every_campus_counts_too(tmp_path: Path) -> None:
    assert change(decide(folder(tmp_path), {"no": "1", "sex": "2"})).patient.sex == "female"


@pytest.mark.parametrize(("on_miss", "blocks"), [("hold", True), ("reject", False)])
def test_an_unknown_code_holds_the_message(tmp_path: Path, on_miss: str, blocks: bool) -> None:
    decision = decide(folder(tmp_path, on_miss=on_miss), {"no": "1", "sex": "9"})
    assert hold(decision).field == "sex"
    assert hold(decision).step == "lookup sex"
    assert decision.blocks is blocks
    assert [(miss.table, miss.code) for miss in decision.misses] == [("sex", "9")]


def test_an_unknown_code_may_have_a_default_and_is_counted_all_the_same(tmp_path: Path) -> None:
    decision = decide(folder(tmp_path, on_miss="default"), {"no": "1", "sex": "9"})
    assert change(decision).patient.sex == "unknown"
    assert len(decision.misses) == 1


def test_an_unknown_code_that_passes_must_still_fit_its_field(tmp_path: Path) -> None:
    held = hold(decide(folder(tmp_path, on_miss="pass"), {"no": "1", "sex": "9"}))
    assert (held.code, held.field) == ("bad_field", "patient.sex")


def test_an_impossible_date_names_rule_step_and_field_and_quotes_nothing(tmp_path: Path) -> None:
    held = hold(decide(folder(tmp_path), {"no": "1", "born": "2026-02-30"}))
    assert (held.code, held.rule, held.step, held.field) == (
        "impossible_date",
        "test-patient",
        "convert date",
        "born",
    )
    assert "2026-02-30" not in held.reason


def test_a_missing_number_is_held(tmp_path: Path) -> None:
    assert hold(decide(folder(tmp_path), {"name": "王珅"})).field == "patient.number"


def test_no_rule_is_a_reason(tmp_path: Path) -> None:
    decision = decide(folder(tmp_path), {}, "table:unheard")
    assert hold(decision).code == "no_rule"
    assert decision.waits


def test_a_condition_that_reads_the_body_sees_the_fields(tmp_path: Path) -> None:
    rule = RULE.replace('== "table:patient"', '== "table:patient" && field("sex") == "2"')
    rules = folder(tmp_path, rule)
    assert change(decide(rules, {"no": "1", "sex": "2"})).patient.sex == "female"
    assert hold(decide(rules, {"no": "1", "sex": "1"})).code == "no_rule"


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("name: name", "nam: name", 10, "Patient has no field 'nam'"),
        ("lookup: sex", "lookup: six", 11, "no code table rules/codes/six.csv"),
        ('== "table', '= "table', 5, "CEL does not compile"),
        ("msg.type", "mgs.type", 5, "CEL knows no mgs"),
        ("kind: patient", "kind: pation", 6, "kind"),
        ("facility: HY", "facilty: HY", 3, "facilty"),
        ("on_miss: ON_MISS", "on_miss: shrug", 11, "on_miss"),
        ("    name: name", "    name: name\n    name: other", 11, "written twice"),
        (
            "  patient:\n    number",
            "  patient: {use: nobody}\n  encounter:\n    number",
            8,
            "no fragment 'nobody'",
        ),
        ("map:", "include: [away.yaml]\nmap:", 7, "no file rules/shared/away.yaml"),
        ("map:", "map: [", 9, "not well-formed YAML"),
    ],
)
def test_a_mistake_is_named_by_file_and_line(
    tmp_path: Path, old: str, new: str, line: int, said: str
) -> None:
    assert old in RULE
    with pytest.raises(InvalidRulesError) as caught:
        RuleSet.load(folder(tmp_path, RULE.replace(old, new)))
    text = str(caught.value)
    assert text.startswith(f"campuses/huiya/10-patient.yaml:{line}:")
    assert said in text


def test_a_code_table_with_a_code_twice_is_a_mistake(tmp_path: Path) -> None:
    rules = folder(tmp_path)
    (rules / "codes" / "sex.csv").write_text(CODES + "HY,1,female,女,\n")
    assert str(load_rules(rules).errors[0]) == "codes/sex.csv:4:4: HY 1 is in this table twice"


def test_a_fragment_is_taken_in_and_the_rules_own_keys_go_first(tmp_path: Path) -> None:
    shared = "description: x\nfragments:\n  who: {number: no, name: name, phone: tel}\n"
    rule = RULE.split("map:")[0] + "include: [who.yaml]\nmap:\n  patient: {use: who, name: {const: 某}}\n"
    rules = folder(tmp_path, rule, shared__who=shared)
    patient = change(decide(rules, {"no": "1", "name": "王", "tel": "138"})).patient
    assert (patient.name, patient.phone) == ("某", "138")


def test_every_rule_of_this_repository_loads_and_its_tests_pass() -> None:
    rules = RuleSet.load(CHECKOUT / "rules")
    outcomes = run_tests(rules)
    assert [o for o in outcomes if o.differences] == []
    assert {o.rule for o in outcomes} == {rule.spec.name for rule in rules.rules}
