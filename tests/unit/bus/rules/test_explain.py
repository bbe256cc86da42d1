"""Why a message went the way it went, and what other rules would make of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from bus.rules.console import rules_main
from bus.rules.explain import Explanation, explain
from bus.rules.loader import load_rules
from bus.rules.masking import masked, plain
from bus.rules.message import from_file
from bus.rules.recorder import Reading, Recorder
from bus.sources.source import Envelope
from runtime.settings import CHECKOUT
from tests.unit.bus.rules.test_ruleset import RULE, folder

NOBODY = Envelope("", "", "")
LAB = r"""MSH|^~\&|LIS|MAIN|YILIAN|GROUP|20261120083000||ORU^R01|C1|P|2.5
PID|1||M000123^^^MAIN^MR||王^珅||19800101|M|||天河路1号||13800000000
OBR|1|O0001|R0001|LP006^电解质|||20261120090000|||||||||1001^周明||||||20261120100000||LAB|F
OBX|1|NM|L0601^钾||4.1|mmol/L|3.5-5.3|N|||F|||20261120093000
OBX|2|ST|L9999^新项目||阴性||||||F|||20261120093000
"""
PATIENTS = ("M000123", "王珅", "1980", "天河路", "13800000000", "周明")
"""What LAB says of a patient, as text or as the rules make it."""


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    path = tmp_path / "lab.hl7"
    path.write_text(LAB, encoding="utf-8")
    return path


def told(rules: Path, file: Path, known: Envelope = NOBODY, *, show: bool = False) -> Explanation:
    recorder = Recorder()
    message = from_file(file, "utf-8", known)
    return explain(load_rules(rules, recorder), recorder, message, plain if show else masked)


def reading(explanation: Explanation, field: str) -> Reading:
    found = [r for r in explanation.readings if r.field == field and r.outcome != "absent"]
    assert len(found) == 1, [r.field for r in explanation.readings]
    return found[0]


def test_every_rule_of_the_campus_says_which_part_was_false(lab: Path) -> None:
    explanation = told(CHECKOUT / "rules", lab)
    verdicts = {asked.rule: asked.verdict for asked in explanation.rules}
    assert verdicts.pop("main-lab-report") == "fired"
    assert len(verdicts) > 5
    assert set(verdicts.values()) == {"not true"}
    exam = next(asked for asked in explanation.rules if asked.rule == "main-exam-report")
    assert [(p.text, p.result, p.values) for p in exam.parts] == [
        ('msg.type == "ORU^R01"', True, {"msg.type": "ORU^R01"}),
        ('msg.sender == "RIS"', False, {"msg.sender": "LIS"}),
    ]
    assert (exam.file, exam.line) == ("campuses/main/31-exam-report.yaml", 4)


def test_every_leaf_says_where_it_came_from(lab: Path) -> None:
    explanation = told(CHECKOUT / "rules", lab, show=True)
    assert (explanation.outcome, explanation.rule, explanation.hold) == ("report", "main-lab-report", None)
    name = reading(explanation, "patient.name")
    assert (name.file, name.reads, name.sent, name.value) == (
        "shared/hl7-patient.yaml",
        "PID-5",
        "王^珅",
        "王珅",
    )
    code = reading(explanation, "reports[1].results[1].item.code")
    assert (code.part, code.table, code.sent, code.value) == (
        "OBR[1]/OBX[1]",
        "main-lab-items",
        "L0601",
        "2823-3",
    )
    missed = reading(explanation, "reports[1].results[2].item.code")
    assert (missed.outcome, missed.value) == ("miss", "L9999")
    assert explanation.misses == ({"table": "main-lab-items", "code": "L9999"},)


def test_a_held_message_ends_at_the_leaf_that_holds_it(lab: Path) -> None:
    lab.write_text(LAB.replace("|N|||F", "|危|||F"))
    explanation = told(CHECKOUT / "rules", lab)
    assert explanation.hold is not None
    assert (explanation.hold.code, explanation.hold.step, explanation.hold.field) == (
        "unmapped_code",
        "lookup abnormal-flag",
        "OBR[1]/OBX[1]/OBX-8.1",
    )
    last = explanation.readings[-1]
    assert (last.field, last.outcome, last.reason) == ("reports[1].results[1].flag", "held", "unmapped_code")


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_values_of_the_message_are_masked_unless_asked_for(
    lab: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["explain", str(lab), "--rules", str(CHECKOUT / "rules"), *options]
    assert rules_main(command) == 0
    shown = capsys.readouterr().out
    assert [value for value in PATIENTS if value in shown] == []
    assert "‹7 characters›" in shown
    assert rules_main([*command, "--show-values"]) == 0
    shown = capsys.readouterr().out
    assert [value for value in PATIENTS if value not in shown] == []


def test_a_condition_over_the_body_tells_its_values_masked(tmp_path: Path) -> None:
    rules = folder(tmp_path, RULE.replace('"table:patient"', '"table:patient" && field("no") == "2"'))
    file = tmp_path / "row.json"
    file.write_text('{"no": "13800000000"}')
    known = Envelope("HY", "HIS", "table:patient")
    (asked,) = told(rules, file, known).rules
    assert [(p.result, p.values) for p in asked.parts] == [
        (True, {"msg.type": "table:patient"}),
        (False, {'field("no")': "‹11 characters›"}),
    ]
    (asked,) = told(rules, file, known, show=True).rules
    assert asked.parts[1].values == {'field("no")': "13800000000"}


def test_a_rule_that_comes_too_late_and_one_that_fails(tmp_path: Path) -> None:
    rules = folder(tmp_path)
    campus = rules / "campuses" / "huiya"
    for number, match in (("20", "msg.root == 'x'"), ("30", "msg.type != 'x'")):
        text = RULE.replace("ON_MISS", "hold").replace("test-patient", f"rule-{number}")
        (campus / f"{number}.yaml").write_text(text.replace('msg.type == "table:patient"', match))
    file = tmp_path / "row.json"
    file.write_text('{"no": "1"}')

    def verdicts(message_type: str) -> list[str]:
        return [asked.verdict for asked in told(rules, file, Envelope("HY", "HIS", message_type)).rules]

    assert verdicts("table:patient") == ["fired", "came too late", "came too late"]
    assert verdicts("table:other") == ["not true", "failed", "came too late"]


WARD = (
    "name: NAME\ndescription: a ward\nfacility: HY\nkind: webhook\naddress: https://ward.example/in\n"
    "secret: ward\n"
)
SENDING = """destinations:
  - always
  - {to: boys, when: msg.sender == "HIS" && field("sex") == "1", send: canonical}
  - {to: girls, when: field("sex") == "2"}
"""


def sending(tmp_path: Path, row: str) -> tuple[Path, Path]:
    (tmp_path / "rules").mkdir()
    rules = folder(tmp_path / "rules", RULE + SENDING)
    (rules / "destinations").mkdir()
    for name in ("always", "boys", "girls"):
        (rules / "destinations" / f"{name}.yaml").write_text(WARD.replace("NAME", name))
    file = tmp_path / "row.json"
    file.write_text(row)
    return rules, file


def test_every_destination_says_why_the_message_goes_there_or_not(tmp_path: Path) -> None:
    rules, file = sending(tmp_path, '{"no": "1", "sex": "1"}')
    known = Envelope("HY", "HIS", "table:patient")
    explanation = told(rules, file, known, show=True)
    assert explanation.destinations == ("always", "boys")
    assert [(one.to, one.send, one.line, one.verdict) for one in explanation.going] == [
        ("always", "raw", 14, "goes"),
        ("boys", "canonical", 15, "goes"),
        ("girls", "raw", 16, "not true"),
    ]
    always, boys, girls = explanation.going
    assert always.parts == ()
    assert [(part.result, part.values) for part in boys.parts] == [
        (True, {"msg.sender": "HIS"}),
        (True, {'field("sex")': "1"}),
    ]
    assert [(part.result, part.values) for part in girls.parts] == [(False, {'field("sex")': "1"})]
    (part,) = told(rules, file, known).going[2].parts
    assert part.values == {'field("sex")': "‹1 character›"}


def test_the_destinations_of_a_held_message_say_where_it_would_go(tmp_path: Path) -> None:
    rules, file = sending(tmp_path, '{"no": "1", "sex": "9"}')
    explanation = told(rules, file, Envelope("HY", "HIS", "table:patient"))
    assert (explanation.outcome, explanation.destinations) == ("held", ())
    assert [one.verdict for one in explanation.going] == ["held", "not true", "not true"]


def test_the_command_tells_of_each_destination(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rules, file = sending(tmp_path, '{"no": "1", "sex": "1"}')
    of = ["--rules", str(rules), "--facility", "HY", "--type", "table:patient", "--sender", "HIS"]
    assert rules_main(["explain", str(file), *of]) == 0
    shown = capsys.readouterr().out
    assert "girls (raw)  campuses/huiya/10-patient.yaml:16  does not go there" in shown
    assert 'false: field("sex") == "2"   (field("sex") = \'‹1 character›\')' in shown


def test_a_condition_of_the_map_says_what_it_read_when_true_and_when_false(tmp_path: Path) -> None:
    rule = RULE + '  encounter:\n    when: field("visit") != ""\n    number: visit\n'
    rules = folder(tmp_path, rule)
    file = tmp_path / "row.json"
    for visit, outcome in (("V1", "met"), ("", "left out")):
        file.write_text(json.dumps({"no": "1", "visit": visit}))
        found = reading(told(rules, file, Envelope("HY", "HIS", "table:patient"), show=True), "encounter")
        assert (found.outcome, found.values) == (outcome, {'field("visit")': visit})


def test_a_body_that_does_not_parse_is_explained_as_that(tmp_path: Path) -> None:
    file = tmp_path / "row.json"
    file.write_text("{")
    explanation = told(folder(tmp_path), file, Envelope("HY", "HIS", "table:patient"))
    assert explanation.hold is not None
    assert (explanation.hold.code, explanation.rules) == ("malformed_json", ())


def test_a_default_and_a_condition_that_leaves_out(tmp_path: Path) -> None:
    rule = RULE + '  encounter: {when: field("visit") != "", number: visit}\n'
    file = tmp_path / "row.json"
    file.write_text('{"no": "1"}')
    explanation = told(folder(tmp_path, rule), file, Envelope("HY", "HIS", "table:patient"))
    assert reading(explanation, "patient.sex").outcome == "default"
    left = reading(explanation, "encounter")
    assert (left.outcome, left.reason) == ("left out", 'when field("visit") != ""')


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("away.hl7", None, "cannot be read"),
        ("row.json", "{}", "give --facility and --type"),
        ("bad.hl7", "MSH|", "is no HL7 message"),
    ],
)
def test_a_message_that_cannot_be_read_says_what_to_do(
    tmp_path: Path, name: str, text: str | None, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    assert rules_main(["explain", str(tmp_path / name), "--rules", str(folder(tmp_path))]) == 1
    assert said in capsys.readouterr().err


def preview(
    lab: Path, changed: Path, capsys: pytest.CaptureFixture[str], *options: str
) -> list[dict[str, Any]]:
    command = ["preview", str(lab), "--present", str(CHECKOUT / "rules"), "--rules", str(changed)]
    assert rules_main([*command, *options, "--json"]) == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["differences"]
    return found


def changed_rules(tmp_path: Path, *replaced: tuple[str, str]) -> Path:
    rules = tmp_path / "changed"
    shutil.copytree(CHECKOUT / "rules", rules)
    path = rules / "campuses" / "main" / "30-lab-report.yaml"
    text = path.read_text(encoding="utf-8")
    for old, new in replaced:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    return rules


def test_the_same_rules_make_no_difference(
    tmp_path: Path, lab: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert preview(lab, changed_rules(tmp_path), capsys) == []


def test_a_preview_names_every_field_that_differs(
    tmp_path: Path, lab: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = changed_rules(
        tmp_path,
        ("      unit: OBX-6.1\n", ""),
        ("value: OBX-5\n", "value: OBX-3.2\n"),
        ("    issued_at:", "    conclusion: OBR-4.2\n    issued_at:"),
        ("order: result", "order: visit"),
    )
    found = preview(lab, rules, capsys, "--show-values")
    assert {(d["field"], d["what"], d["before"], d["after"]) for d in found} == {
        ("decision.order", "changed", "result", "visit"),
        ("decision.waits", "changed", False, True),
        ("reports[1].conclusion", "added", None, "电解质"),
        ("reports[1].results[1].unit", "removed", "mmol/L", None),
        ("reports[1].results[1].value", "changed", "4.1", "钾"),
        ("reports[1].results[2].value", "changed", "阴性", "新项目"),
    }
    shown = json.dumps(preview(lab, rules, capsys), ensure_ascii=False)
    assert "mmol" not in shown
    assert "电解质" not in shown


def test_a_message_that_would_be_held_says_so_and_why(
    tmp_path: Path, lab: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = changed_rules(tmp_path, ("main-lab-items, on_miss: pass", "main-lab-items, on_miss: hold"))
    found = {d["field"]: d for d in preview(lab, rules, capsys)}
    assert found["decision.outcome"]["after"] == "held"
    assert found["decision.hold.field"]["after"] == "OBR[1]/OBX[2]/OBX-3.1"
    assert found["patient.number"]["what"] == "removed"


def test_rules_with_mistakes_are_refused(
    tmp_path: Path, lab: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = changed_rules(tmp_path, ("unit: OBX-6.1", "unti: OBX-6.1"))
    assert rules_main(["preview", str(lab), "--rules", str(rules)]) == 1
    assert "no field 'unti'" in capsys.readouterr().err
