"""A message about several patients: one change for each of its parts, or none and the part's number."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bus.rules.change import MOST
from bus.rules.console import rules_main
from bus.rules.decision import Decision, Hold
from bus.rules.difference import differences
from bus.rules.lint import lint
from bus.rules.loader import load_rules
from bus.rules.ruleset import RuleSet
from bus.rules.trial import run_tests
from bus.rules.versions import backtest
from bus.sources.opening import open_source
from bus.sources.rows import RowSource
from bus.sources.source import Envelope
from consortium.records.model import Change
from tests.unit.bus.rules.test_destinations import HOOK, WARD, rules
from tests.unit.bus.rules.test_ruleset import folder

LIST = """\
name: hy-patients
facility: HY
description: a list of patients
match: msg.type == "json:patients"
kind: patient
map:
  each: patients
  when: field("cancelled") != "true"
  patient:
    number: no
    name: name
    sex: {path: sex, lookup: sex, on_miss: hold}
    phone: ^.phone
tests:
  - name: two, and one that is left out
    given:
      type: json:patients
      json:
        phone: "020-1"
        patients: [{no: A, name: 王珅, sex: "1"}, {no: B, cancelled: true}, {no: C, sex: "2"}]
    expect:
      kind: patient
      changes:
        - {patient: {number: A, sex: male, phone: 020-1}}
        - {patient: {number: C, sex: female, phone: 020-1}}
"""
LAB = """\
name: main-lab-list
facility: MAIN
description: reports of several patients in one message
match: msg.type == "ORU^R01"
kind: report
map:
  each: PID
  patient: {number: PID-3.1}
  encounter: {number: PV1-19}
  reports:
    each: OBR
    number: OBR-3.1
    kind: {const: lab}
    item: {code: OBR-4.1}
    conclusion: {template: "{MSH-10} {PID-3.1} {PV1-19}"}
    results: {each: OBX, item: {code: OBX-3.1}, value: OBX-5}
"""
ORU = """\
MSH|^~\\&|LIS|MAIN|Y|G|2026||ORU^R01|C1|P|2.4
PID|1||M1
PV1|1|I|||||||||||||||||V1
OBR|1||R1|P
OBX|1|NM|K||4.1
PID|2||M2
ORC|RE
OBR|1||R2|P
OBX|1|NM|K||4.2
OBR|2||R3|P
OBX|1|NM|K||4.3
"""


def decide(made: Path, row: dict[str, Any]) -> Decision:
    source = RowSource(row, Envelope("HY", "t", "json:patients"))
    return RuleSet.load(made).decide(source, "HY", "json:patients")


def decide_hl7(made: Path, text: str = ORU) -> Decision:
    envelope = Envelope("MAIN", "LIS", "ORU^R01", "mllp", "C1")
    source = open_source(text.replace("\n", "\r").encode(), "utf-8", envelope)
    return RuleSet.load(made).decide(source, "MAIN", "ORU^R01")


def test_each_part_is_a_change_and_the_test_of_the_rule_says_so(tmp_path: Path) -> None:
    made = folder(tmp_path, LIST)
    assert [one.differences for one in run_tests(RuleSet.load(made))] == [()]
    assert [(one.code, one.message) for one in lint(made).findings] == []


def test_a_wrong_part_holds_the_whole_message_and_is_named(tmp_path: Path) -> None:
    made = folder(tmp_path, LIST)
    decision = decide(made, {"patients": [{"no": "A", "sex": "1"}, {"no": "B", "sex": "7"}]})
    assert isinstance(decision.outcome, Hold)
    assert (decision.outcome.code, decision.outcome.field) == ("unmapped_code", "patients[2]/sex")
    assert decision.changes == ()
    decision = decide(made, {"patients": [{"no": "A"}, {"name": "王珅"}]})
    assert isinstance(decision.outcome, Hold)
    assert (decision.outcome.code, decision.outcome.field) == ("bad_field", "patients[2]/patient.number")


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ({"patients": []}, "no_changes"),
        ({"patients": [{"no": "A", "cancelled": True}]}, "no_changes"),
        ({"patients": [{"no": f"P{n}"} for n in range(MOST + 1)]}, "too_many_changes"),
    ],
)
def test_none_and_too_many_are_held(tmp_path: Path, row: dict[str, Any], code: str) -> None:
    decision = decide(folder(tmp_path, LIST), row)
    assert isinstance(decision.outcome, Hold)
    assert decision.outcome.code == code


def test_a_list_of_one_is_split_too(tmp_path: Path) -> None:
    decision = decide(folder(tmp_path, LIST), {"patients": {"no": "A"}})
    assert (len(decision.changes), decision.split, decision.rest) == (1, True, ())


def test_the_parts_of_an_hl7_message_see_their_own_patient_and_visit(tmp_path: Path) -> None:
    first, second = decide_hl7(folder(tmp_path, LAB)).changes
    assert (first.patient.number, [r.number for r in first.reports]) == ("M1", ["R1"])
    assert (second.patient.number, [r.number for r in second.reports]) == ("M2", ["R2", "R3"])
    assert first.encounter is not None
    assert first.encounter.number == "V1"
    assert second.encounter is None, "the visit is the first patient's"
    assert [r.conclusion for r in (*first.reports, *second.reports)] == ["C1 M1 V1", "C1 M2 ", "C1 M2 "]
    assert [r.results[0].value for r in second.reports] == ["4.2", "4.3"]


def test_several_patients_are_never_read_as_one(tmp_path: Path) -> None:
    made = folder(tmp_path, LAB.replace("  each: PID\n", ""))
    decision = decide_hl7(made)
    assert isinstance(decision.outcome, Hold)
    assert (decision.outcome.code, decision.outcome.field) == ("several_patients", "PID")
    one = ORU[: ORU.index("PID|2")]
    assert isinstance(decide_hl7(made, one).outcome, Change)
    again = decide_hl7(made, ORU.replace("||M2", "||M1")).outcome
    assert isinstance(again, Change), "the same patient, said twice"
    assert [one.number for one in again.reports] == ["R1", "R2", "R3"]


def test_bytes_of_several_patients_are_not_sent_on(tmp_path: Path) -> None:
    made = rules(tmp_path, LIST.replace("tests:", "destinations: [ward-b]\ntests:"), WARD, HOOK)
    [error] = load_rules(made).errors
    assert "several patients in one message: write send: canonical" in error.message
    sound = "destinations: [{to: lab-hook, send: canonical}]\ntests:"
    made = rules(tmp_path / "sound", LIST.replace("tests:", sound), WARD, HOOK)
    assert load_rules(made).errors == []


def test_a_document_is_about_one_patient(tmp_path: Path) -> None:
    text = LAB.replace("map:", "document: {path: OBX-5.5, patient: PID-3.1}\nmap:")
    assert "map.each" in str(load_rules(folder(tmp_path, text)).errors[0])


def test_preview_and_backtest_tell_of_each_change(tmp_path: Path) -> None:
    row = {"patients": [{"no": "A"}, {"no": "B", "name": "王珅"}]}
    before = decide(folder(tmp_path / "a", LIST), row)
    after = decide(folder(tmp_path / "b", LIST.replace("    name: name\n", "")), row)
    assert [(one.field, one.what) for one in differences(before, after)] == [("[2].patient.name", "removed")]
    [key] = backtest.differences(before, after)
    assert (key.what, key.field, key.after) == ("field", "[].patient.name", "absent")


def test_explain_names_the_part_of_each_value(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "list.json"
    file.write_text(json.dumps({"patients": [{"no": "A"}, {"no": "B"}]}))
    made = folder(tmp_path / "set", LIST)
    command = ["explain", str(file), "--rules", str(made), "--facility", "HY", "--type", "json:patients"]
    assert rules_main([*command, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["changes"] == 2
    numbers = [one for one in told["readings"] if one["field"].endswith("patient.number")]
    assert [one["field"] for one in numbers] == ["[1].patient.number", "[2].patient.number"]
    assert [one["part"] for one in numbers] == ["patients[1]", "patients[2]"]
    assert rules_main(command) == 0
    assert "2 × patient" in capsys.readouterr().out
