"""The linter names what is wrong before a message comes, where it is, and what to do."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bus.rules import finding, recognition
from bus.rules.console import rules_main
from bus.rules.finding import Finding, Severity
from bus.rules.lint import lint
from runtime.settings import CHECKOUT
from tests.unit.bus.rules.test_destinations import WARD
from tests.unit.bus.rules.test_ruleset import CODES, RULE, folder

TESTED = RULE.replace("ON_MISS", "hold") + (
    "tests:\n"
    "  - name: a patient\n"
    "    given: {type: table:patient, json: {no: '1', sex: '1'}}\n"
    "    expect: {kind: patient}\n"
)


def findings(rules: Path) -> list[Finding]:
    return list(lint(rules).findings)


def only(rules: Path) -> Finding:
    found = findings(rules)
    assert len(found) == 1, found
    return found[0]


def second(rules: Path, match: str, name: str = "second") -> Path:
    text = TESTED.replace("test-patient", name).replace('msg.type == "table:patient"', match)
    (rules / "campuses" / "huiya" / "20-second.yaml").write_text(text.replace("a patient", "another"))
    return rules


def test_rules_without_a_mistake_have_no_finding(tmp_path: Path) -> None:
    assert findings(folder(tmp_path, TESTED)) == []


def test_the_rules_of_this_repository_have_neither_errors_nor_warnings() -> None:
    found = findings(CHECKOUT / "rules")
    assert [f for f in found if f.severity is not Severity.INFO] == []


@pytest.mark.parametrize(
    ("old", "new", "place", "code", "said"),
    [
        ("name: name", "nam: name", (10, 5), "unknown-field", "Patient has no field 'nam'"),
        ("lookup: sex", "lookup: six", (11, 22), "unknown-table", "did you mean sex?"),
        ("birth_date: born", "birth_date: {path: born, as: dat}", (12, 30), "unknown-word", "'date'"),
        ("map:", "include: [away.yaml]\nmap:", (7, 11), "unknown-include", "no file rules/shared/away.yaml"),
        ('"table:patient"\n', '"table:patient" &&\n', (5, 38), "bad-expression", "does not compile"),
        ("msg.type ==", "msg.typ ==", (5, 1), "unknown-variable", "msg has no typ"),
        ("msg.type ==", "lower(msg.type) ==", (5, 8), "bad-expression", "no function lower"),
        ("number: no", "number: ^.no", (9, 5), "bad-path", "stands outside each"),
        ("name: name", "name: {const: ''}", (10, 5), "bad-constant", "does not fit patient.name"),
        ("birth_date: born", "birth_date: {path: born, default: soon}", (12, 5), "bad-constant", "default"),
        ("on_miss: hold, default: unknown", "on_miss: default", (11, 5), "blanked-code", "write a default"),
        ("on_miss: hold", "on_miss: pass", (11, 5), "pass-into-list", "male"),
        ('"table:patient"', '"table:patient" && msg.type == "x"', (5, 1), "never-true", "no message can"),
        ("facility: HY", "facility: HY\nfacilty: HY", (4, 1), "unknown-key", "facilty"),
        ("    name: name", "    name: name\n    name: x", (11, 5), "duplicate-key", "written twice"),
    ],
)
def test_a_mistake_has_a_place_a_code_and_a_cure(
    tmp_path: Path, old: str, new: str, place: tuple[int, int], code: str, said: str
) -> None:
    assert old in TESTED
    found = only(folder(tmp_path, TESTED.replace(old, new, 1)))
    assert (found.file, found.line, found.column) == ("campuses/huiya/10-patient.yaml", *place)
    assert found.code == code
    assert said in found.message


def test_every_mistake_of_a_file_is_named_at_once(tmp_path: Path) -> None:
    rule = TESTED.replace("lookup: sex", "lookup: six").replace("name: name", "nam: name")
    assert [f.code for f in findings(folder(tmp_path, rule))] == ["unknown-field", "unknown-table"]


def test_a_table_that_maps_to_a_word_its_field_does_not_take(tmp_path: Path) -> None:
    rules = folder(tmp_path, TESTED)
    (rules / "codes" / "sex.csv").write_text(CODES + "HY,3,mail,男,\nHP,4,other,campus,\n")
    found = only(rules)
    assert found.code == "bad-target"
    assert "3 → mail" in found.message


def test_an_hl7_rule_with_a_path_of_another_kind(tmp_path: Path) -> None:
    rule = TESTED.split("tests:")[0].replace("table:patient", "ADT^A01")
    codes = {(f.code, f.line) for f in findings(folder(tmp_path, rule))}
    assert codes == {("untested", 2), ("bad-path", 9), ("bad-path", 10), ("bad-path", 11), ("bad-path", 12)}


def test_a_rule_that_an_earlier_one_covers_is_an_error(tmp_path: Path) -> None:
    found = only(second(folder(tmp_path, TESTED), 'msg.type == "table:patient" && msg.sender == "HIS"'))
    assert (found.code, found.severity, found.line) == ("unreachable", Severity.ERROR, 5)
    assert "test-patient (campuses/huiya/10-patient.yaml)" in found.message


def test_an_overlap_that_a_sample_shows_is_a_warning(tmp_path: Path) -> None:
    found = only(second(folder(tmp_path, TESTED), 'msg.sender == ""'))
    assert (found.code, found.severity) == ("overlap", Severity.WARNING)
    assert "test-patient: a patient" in found.message


def test_a_narrower_rule_before_a_wider_one_is_only_worth_knowing(tmp_path: Path) -> None:
    rules = folder(tmp_path, TESTED.replace('"table:patient"', '"table:patient" && field("sex") == "1"'))
    found = only(second(rules, 'msg.type == "table:patient"'))
    assert (found.code, found.severity) == ("narrower-first", Severity.INFO)


def test_rules_of_different_campuses_never_meet(tmp_path: Path) -> None:
    rules = second(folder(tmp_path, TESTED), 'msg.type == "table:patient"')
    path = rules / "campuses" / "huiya" / "20-second.yaml"
    path.write_text(path.read_text().replace("facility: HY", "facility: HP"))
    assert {f.code for f in findings(rules)} == set()


def test_a_name_that_is_taken_is_an_error(tmp_path: Path) -> None:
    found = findings(second(folder(tmp_path, TESTED), 'msg.type == "table:other"', "test-patient"))
    assert [(f.code, f.file) for f in found] == [("duplicate-name", "campuses/huiya/20-second.yaml")]


def test_a_fragment_that_leads_back_to_itself(tmp_path: Path) -> None:
    shared = "description: x\nfragments:\n  a: {use: b, number: no}\n  b: {use: a}\n"
    rule = TESTED.replace("map:", "include: [who.yaml]\nmap:").replace("number: no", "use: a")
    assert "fragment-loop" in {f.code for f in findings(folder(tmp_path, rule, shared__who=shared))}


def test_a_table_that_no_rule_uses_is_worth_knowing(tmp_path: Path) -> None:
    rules = folder(tmp_path, TESTED)
    (rules / "codes" / "idle.csv").write_text(CODES)
    assert (only(rules).file, only(rules).code) == ("codes/idle.csv", "unused-table")


def test_an_included_file_or_a_fragment_that_no_rule_uses(tmp_path: Path) -> None:
    shared = "description: x\nfragments:\n  a: {use: b}\n  b: {number: no}\n  c: {number: no}\n"
    rule = TESTED.replace("map:", "include: [who.yaml]\nmap:").replace("number: no", "use: a")
    rules = folder(tmp_path, rule, shared__who=shared, shared__idle=shared)
    assert [(f.file, f.line, f.column, f.code) for f in findings(rules)] == [
        ("shared/idle.yaml", 1, 1, "unused-shared"),
        ("shared/who.yaml", 5, 3, "unused-shared"),
    ]


def sending(tmp_path: Path, to: str) -> Path:
    rules = folder(tmp_path, TESTED.replace("tests:", f"destinations:\n{to}\ntests:", 1))
    (rules / "destinations").mkdir()
    (rules / "destinations" / "ward-b.yaml").write_text(WARD)
    return rules


@pytest.mark.parametrize(
    ("to", "code", "place", "said"),
    [
        ("  - ward-c", "unknown-destination", (14, 5), "did you mean ward-b?"),
        ("  - ward-b\n  - ward-b", "duplicate-name", (15, 5), "named twice"),
        ("  - {to: ward-b, when: msg.type ==}", "bad-expression", (14, 35), "does not compile"),
        ("  - {to: ward-b, when: lower(msg.type) == 'x'}", "bad-expression", (14, 24), "no function lower"),
        ("  - {to: ward-b, when: msg.typ == 'x'}", "unknown-variable", (14, 18), "msg has no typ"),
    ],
)
def test_a_mistake_in_a_destination_of_a_rule(
    tmp_path: Path, to: str, code: str, place: tuple[int, int], said: str
) -> None:
    (found,) = [f for f in findings(sending(tmp_path, to)) if f.severity is Severity.ERROR]
    assert (found.file, found.line, found.column) == ("campuses/huiya/10-patient.yaml", *place)
    assert found.code == code
    assert said in found.message


def test_a_destination_that_no_rule_names_is_worth_knowing(tmp_path: Path) -> None:
    rules = sending(tmp_path, "  - ward-b")
    (rules / "destinations" / "ward-c.yaml").write_text(WARD.replace("ward-b", "ward-c"))
    found = only(rules)
    assert (found.code, found.file, found.line, found.column) == (
        "unused-destination",
        "destinations/ward-c.yaml",
        2,
        1,
    )


def test_what_other_checks_find_has_a_code_of_the_reference(tmp_path: Path) -> None:
    rules = folder(tmp_path, TESTED)
    (rules / "codes" / "mutual-recognition.yaml").write_text("nothing: right\n")
    (found,) = lint(rules, [recognition.mistakes]).of(Severity.ERROR)
    assert (found.code, found.file) == ("mutual-recognition", "codes/mutual-recognition.yaml")


def test_anchors_that_multiply_each_other_are_refused(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    found = only(folder(tmp_path, "\n".join(lines)))
    assert (found.code, "multiply" in found.message) == ("bad-yaml", True)


def test_lint_fails_for_errors_and_only_for_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rules = folder(tmp_path, TESTED.split("tests:")[0])
    assert rules_main(["lint", "--rules", str(rules), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [w["code"] for w in report["warnings"]] == ["untested"]
    (rules / "codes" / "sex.csv").write_text("no header\n")
    assert rules_main(["lint", "--rules", str(rules)]) == 1
    assert "codes/sex.csv:1:1: error bad-csv" in capsys.readouterr().out


@pytest.mark.parametrize(
    "module",
    [
        "code_files",
        "compile",
        "loader",
        "marks",
        "lint",
        "lint_leaves",
        "lint_match",
        "lint_unused",
        "loops",
        "routes",
    ],
)
def test_every_code_of_a_finding_is_in_the_reference(module: str) -> None:
    text = (CHECKOUT / "bus" / "rules" / f"{module}.py").read_text(encoding="utf-8")
    used = set(re.findall(r'"([a-z]+(?:-[a-z]+)+)"', text))
    assert used
    assert used - set(finding.CODES) == set()
