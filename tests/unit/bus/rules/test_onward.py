"""Rules without a map send on what is recorded without one: each change by the first that is true of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bus.rules.console import rules_main
from bus.rules.finding import Severity
from bus.rules.lint import lint
from bus.rules.message import from_file
from bus.rules.onward import written
from bus.rules.ruleset import RuleSet
from bus.rules.trial import run_tests
from bus.sources.source import Envelope
from tests.fhir_requests import bundle, entry, order, patient, report, whole_day
from tests.unit.bus.rules.test_destinations import HOOK, WARD, rules
from tests.unit.bus.rules.test_lint import TESTED

ONWARD = """\
name: hp-fhir-reports
facility: HP
description: reports that are written over FHIR go to the laboratory's portal
match: msg.protocol == "fhir" && msg.kind == "report"
destinations:
  - {to: ward-b, send: hl7}
  - {to: lab-hook, when: 'field("type") == "transaction"', send: canonical}
tests:
  - name: a report
    given: {type: "fhir:transaction", json: BODY}
    expect: {rule: hp-fhir-reports, destinations: [ward-b, lab-hook]}
"""
BODY = json.dumps(
    {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [{"resource": {"resourceType": "DiagnosticReport"}}],
    }
)


def made(tmp_path: Path, onward: str = ONWARD) -> Path:
    folder = rules(tmp_path, TESTED, WARD, HOOK)
    (folder / "campuses" / "huiya" / "90-onward.yaml").write_text(onward.replace("BODY", BODY))
    return folder


def test_each_change_goes_where_the_first_true_rule_sends_it(tmp_path: Path) -> None:
    loaded = RuleSet.load(made(tmp_path))
    body = json.dumps(whole_day(), default=str).encode()
    envelope = Envelope("HP", "system.huangpu", "fhir:transaction", "fhir")
    source, kinds = written(body, "utf-8", envelope)
    assert kinds == ["patient", "encounter", "order", "report", "document", "charge", "appointment"]
    going = {kind: loaded.onward(source, "HP", kind) for kind in kinds}
    assert [one.to for one in going["report"].sendings] == ["ward-b", "lab-hook"]
    assert going["report"].rule == "hp-fhir-reports"
    assert {kind for kind, one in going.items() if one.rule is None} == set(kinds) - {"report"}
    assert loaded.onward(source, "HY", "report").rule is None, "it is another campus's rule"


def test_a_merge_is_told_from_a_patient() -> None:
    links = [{"type": "replaces", "other": {}}]
    for body, kind in ((patient(), "patient"), (patient(link=links), "merge")):
        assert written(json.dumps(body).encode(), "utf-8", Envelope("HP", "", "fhir:Patient"))[1] == [kind]


def test_a_rule_without_a_map_takes_no_message_from_those_with_one(tmp_path: Path) -> None:
    loaded = RuleSet.load(made(tmp_path, ONWARD.replace("facility: HP", "facility: HY")))
    source, _ = written(b"{}", "utf-8", Envelope("HY", "", "fhir:Patient", "fhir"))
    assert loaded.decide(source, "HY", "fhir:Patient").rule is None


def test_its_tests_run_and_tell_what_differs(tmp_path: Path) -> None:
    assert [one.differences for one in run_tests(RuleSet.load(made(tmp_path)))] == [(), ()]
    wrong = ONWARD.replace("destinations: [ward-b, lab-hook]", "kind: report, destinations: [ward-b]")
    [_, found] = run_tests(RuleSet.load(made(tmp_path / "wrong", wrong)))
    assert found.differences == (
        "kind: a rule without map decides destinations alone",
        "destinations: expected ['ward-b'], got ['ward-b', 'lab-hook']",
    )


def errors(folder: Path) -> list[tuple[str, str]]:
    return [(one.code, one.message) for one in lint(folder).findings if one.severity is Severity.ERROR]


def test_the_linter_has_nothing_to_say_of_a_sound_one(tmp_path: Path) -> None:
    assert errors(made(tmp_path)) == []


@pytest.mark.parametrize(
    ("old", "new", "code", "said"),
    [
        ('msg.protocol == "fhir" && ', "", "not-written", "add msg.protocol"),
        ("msg.kind ==", "msg.kin ==", "unknown-variable", "msg has no kin"),
        ('"fhir" && msg.kind', '"fhir" && msg.root', "unknown-variable", "msg has no root"),
        ('field("type") ==', "msg.typ ==", "unknown-variable", "msg has no typ"),
        ("tests:", "waits: true\ntests:", "missing-key", "waits belongs to a rule with kind and map"),
        ("tests:", "kind: report\ntests:", "missing-key", "kind belongs to a rule with kind and map"),
        ("tests:", "map: {patient: {number: id}}\ntests:", "missing-key", "map belongs"),
        ("match:", "matches:", "unknown-key", "matches"),
    ],
)
def test_the_linter_names_what_is_wrong(tmp_path: Path, old: str, new: str, code: str, said: str) -> None:
    found = errors(made(tmp_path, ONWARD.replace(old, new, 1)))
    assert [one for one in found if one[0] == code and said in one[1]], found


def test_a_rule_without_a_map_and_without_destinations_is_nothing(tmp_path: Path) -> None:
    text = ONWARD[: ONWARD.index("destinations:")]
    [(code, message)] = errors(made(tmp_path, text))
    assert (code, "write destinations" in message) == ("missing-key", True)


def test_msg_kind_is_not_for_rules_with_a_map(tmp_path: Path) -> None:
    folder = rules(tmp_path, TESTED.replace("msg.type ==", "msg.kind =="))
    assert [code for code, _ in errors(folder)] == ["unknown-variable"]


def test_explain_tells_of_each_change_why_it_goes_or_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bundle.json"
    file.write_text(json.dumps(bundle(entry(patient()), entry(order()), entry(report())), default=str))
    assert from_file(file, "utf-8", Envelope("HP", "", "fhir:transaction")).envelope.protocol == "fhir"
    command = ["explain", str(file), "--rules", str(made(tmp_path / "set")), "--facility", "HP"]
    assert rules_main([*command, "--type", "fhir:transaction", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["destinations"] == ["ward-b", "lab-hook"]
    assert [(one["about"], one["verdict"]) for one in told["rules"]] == [
        ("patient", "not true"),
        ("order", "not true"),
        ("report", "fired"),
    ]
    assert (told["outcome"], told["rule"]) == ("patient, order, report", "hp-fhir-reports")
    assert rules_main([*command, "--type", "fhir:transaction"]) == 0
    shown = capsys.readouterr().out
    assert "(report)" in shown
    assert "ward-b, lab-hook" in shown
