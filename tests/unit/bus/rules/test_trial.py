"""Tests of rules: with tables of their own, with the branches they go through, and results that CI reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lxml import etree

from bus.rules.console import rules_main
from bus.rules.coverage import Coverage, Covered, count_matches
from bus.rules.junit import junit
from bus.rules.lint import lint
from bus.rules.loader import load_rules
from bus.rules.ruleset import RuleSet
from bus.rules.trial import Outcome, run_tests
from tests.unit.bus.rules.test_ruleset import folder

RULE = """
name: test-patient
facility: HY
description: A patient of a table
match: msg.type == "table:patient"
kind: patient
map:
  patient:
    number: {first: [no, old_no]}
    name: name
    sex: {path: sex, lookup: sex, on_miss: hold, default: unknown}
  encounter:
    when: field("visit") != ""
    number: visit
tests:
"""
KNOWN = """
  - name: a code of the shared table
    given: {type: table:patient, json: {no: '1', name: 王珅, sex: '1'}}
    expect: {change: {patient: {sex: male}}}
"""
MOCKED = """
  - name: a code of its own
    given: {type: table:patient, json: {no: '1', sex: '1'}}
    codes: {sex: {'1': female}}
    expect: {change: {patient: {sex: female}}}
  - name: without the shared codes
    given: {type: table:patient, json: {no: '1', sex: '2'}}
    codes: {sex: {'1': {code: female, name: 女}}}
    expect: {held: unmapped_code, field: sex, unmapped: ['2']}
"""
REST = """
  - name: the other number, no sex, a visit
    given: {type: table:patient, json: {old_no: '1', visit: V1}}
    expect: {change: {patient: {number: '1', sex: unknown}, encounter: {number: V1}}}
"""
WRONG = """
  - name: wrongly foreseen
    given: {type: table:patient, json: {no: '1', sex: '1'}}
    expect: {change: {patient: {sex: female}}}
"""


WARD = (
    "name: ward\ndescription: a ward\nfacility: HY\nkind: webhook\naddress: https://ward.example/in\n"
    "secret: ward\n"
)
OTHER = """
  - name: not this rule's
    given: {type: table:visit, sender: HIS, json: {no: "1"}}
    expect: {held: no_rule}
"""
SENT = 'destinations:\n  - {to: ward, when: field("sex") == "1"}\ntests:'


def tried(rules: Path) -> tuple[list[Outcome], Covered]:
    coverage = Coverage()
    loaded = load_rules(rules, coverage)
    assert loaded.errors == []
    outcomes = run_tests(RuleSet(loaded.rules, loaded.tables), watch=coverage, clock=lambda: 0.0)
    count_matches(loaded.rules, coverage)
    return outcomes, coverage.of("test-patient")


def missing(covered: Covered) -> list[str]:
    return [f"{branch.field}: {branch.what}" for branch in covered.missing]


def test_a_test_may_bring_its_own_codes_and_the_shared_table_is_not_asked(tmp_path: Path) -> None:
    outcomes, _ = tried(folder(tmp_path, RULE + KNOWN + MOCKED))
    assert [o.differences for o in outcomes] == [(), (), ()]


def test_tests_with_their_own_codes_do_not_change_with_the_shared_table(tmp_path: Path) -> None:
    rules = folder(tmp_path, RULE + MOCKED)
    (rules / "codes" / "sex.csv").write_text("facility,code,target,name,system\nHY,1,other,,\nHY,2,other,,\n")
    outcomes, _ = tried(rules)
    assert [o.differences for o in outcomes] == [(), ()]


def test_every_branch_that_no_test_goes_through_is_named(tmp_path: Path) -> None:
    _, covered = tried(folder(tmp_path, RULE + KNOWN))
    assert missing(covered) == [
        "match: match is false",
        "patient.number: old_no has a value",
        "patient.sex: sex is no code of sex: hold",
        "patient.sex: sex is absent, its default stands",
        'encounter: when field("visit") != "" is true',
        "encounter.number: visit has a value",
    ]
    assert covered.covered == covered.total - 6


def test_tests_that_go_everywhere_leave_nothing(tmp_path: Path) -> None:
    outcomes, covered = tried(folder(tmp_path, RULE + KNOWN + MOCKED + REST + OTHER))
    assert [o for o in outcomes if o.differences] == []
    assert (missing(covered), covered.covered) == ([], covered.total)
    assert covered.total == 11


def sending(tmp_path: Path, tests: str) -> Path:
    rules = folder(tmp_path, (RULE + tests).replace("tests:", SENT))
    (rules / "destinations").mkdir()
    (rules / "destinations" / "ward.yaml").write_text(WARD)
    return rules


def test_the_condition_of_a_destination_has_two_branches(tmp_path: Path) -> None:
    _, covered = tried(sending(tmp_path, KNOWN))
    (missed,) = [branch for branch in covered.missing if branch.field.startswith("destinations")]
    assert str(missed) == (
        'campuses/huiya/10-patient.yaml:16:16: destinations.ward: when field("sex") == "1" is false'
    )


def test_a_record_that_is_not_known_is_a_branch(tmp_path: Path) -> None:
    leaf = "{record: patient, number: no, field: phone, default: none}"
    rule = (RULE + KNOWN).replace("    name: name\n", f"    name: name\n    phone: {leaf}\n")
    _, covered = tried(folder(tmp_path, rule))
    phone = [what for what in missing(covered) if what.startswith("patient.phone")]
    assert phone == ["patient.phone: phone of the patient no is known"]


def test_a_threshold_fails_and_names_what_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = folder(tmp_path, RULE + KNOWN)
    command = ["test", "--rules", str(rules)]
    assert rules_main([*command, "--threshold", "40"]) == 0
    assert "match is false" not in capsys.readouterr().out
    assert rules_main([*command, "--threshold", "90"]) == 1
    shown = capsys.readouterr().out
    assert "test-patient: 5 of 11 branches (below 90 %)" in shown
    assert "campuses/huiya/10-patient.yaml:5:1: match: match is false" in shown
    assert rules_main([*command, "--threshold", "90", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["failed"], told["threshold"], told["below"]) == (0, 90, ["test-patient"])
    assert told["coverage"][0]["percent"] == 45.5
    assert rules_main([*command, "--threshold", "150"]) == 2


def test_junit_names_each_branch_that_is_left_out(tmp_path: Path) -> None:
    outcomes, covered = tried(folder(tmp_path, RULE + KNOWN))
    document = etree.fromstring(junit(outcomes, [], {"test-patient": covered}))
    named = document.xpath('testsuite/properties/property[@name="uncovered"]/@value')
    assert named == [str(branch) for branch in covered.missing]
    assert len(named) == 6


def test_a_rule_without_tests_has_no_branch_covered(tmp_path: Path) -> None:
    _, covered = tried(folder(tmp_path, RULE.replace("tests:", "tests: []")))
    assert covered.covered == 0


def test_a_table_of_a_test_that_nothing_looks_up_is_warned_of(tmp_path: Path) -> None:
    rules = folder(tmp_path, RULE + MOCKED.replace("codes: {sex:", "codes: {sexes:", 1))
    assert [(f.code, f.line) for f in lint(rules).findings] == [("idle-codes", 19)]


def test_results_are_read_as_junit(tmp_path: Path) -> None:
    outcomes, covered = tried(folder(tmp_path, RULE + KNOWN + WRONG))
    suite = etree.fromstring(junit(outcomes, [], {"test-patient": covered})).find("testsuite")
    assert suite is not None
    assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == ("test-patient", "2", "1")
    first, second = suite.findall("testcase")
    assert first.find("failure") is None
    assert (second.get("classname"), second.get("file"), second.get("line")) == (
        "campuses.huiya.10-patient",
        "campuses/huiya/10-patient.yaml",
        "21",
    )
    failure = second.find("failure")
    assert failure is not None
    assert failure.get("message") == "change.patient.sex: expected 'female', got 'male'"


def test_junit_holds_any_text() -> None:
    outcome = Outcome("a.yaml", 1, "a", "bell \x07 <&>", ("null \x00", "half \ud800"))
    case = etree.fromstring(junit([outcome], [], {})).find("testsuite/testcase")
    assert case is not None
    assert case.get("name") == "bell \ufffd <&>"


def test_rules_that_do_not_load_fail_in_junit_too(tmp_path: Path) -> None:
    rules, report = folder(tmp_path, RULE.replace("name: name", "nam: name")), tmp_path / "report.xml"
    assert rules_main(["test", "--rules", str(rules), "--junit", str(report)]) == 1
    suite = etree.fromstring(report.read_bytes()).find("testsuite")
    assert suite is not None
    assert (suite.get("name"), suite.get("errors")) == ("lint", "1")


@pytest.mark.parametrize("name", ["test-patient", "HY", "huiya"])
def test_a_name_narrows_the_tests(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    rules = folder(tmp_path, RULE + KNOWN)
    (rules / "campuses" / "other").mkdir()
    other = (
        (RULE + WRONG)
        .replace("test-patient", "other-patient")
        .replace("HY", "XX")
        .replace("lookup: sex,", "")
    )
    (rules / "campuses" / "other" / "10.yaml").write_text(other)
    assert rules_main(["test", name, "--rules", str(rules), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["rules"], report["tests"], report["failed"]) == (1, 1, 0)
    assert rules_main(["test", "--rules", str(rules), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["errors"][0]["rule"] == "other-patient"


def test_a_name_that_nobody_has_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rules_main(["test", "test-patent", "--rules", str(folder(tmp_path, RULE + KNOWN))]) == 1
    assert "did you mean test-patient?" in capsys.readouterr().err
