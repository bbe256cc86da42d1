"""What a changed set would decide otherwise."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bus.envelope import Stored
from bus.rules.decision import Decision, Hold, Warned
from bus.rules.ruleset import RuleSet
from bus.rules.spec import OrderClass
from bus.rules.versions.backtest import EXAMPLES, SHOWN, Tally, backtest, decide, differences
from bus.rules.versions.folder import compiled
from consortium.records.model import Change, Kind, Patient

RULE = """\
name: {name}
facility: MAIN
description: d
match: msg.type == "ADT^A28"
blocks: {blocks}
kind: patient
map:
  patient:
    number: PID-3.1
    name: {given}
    sex: {{path: PID-8, lookup: sex, on_miss: {on_miss}}}
"""
WARD = """\
name: {name}
kind: mllp
description: d
facility: MAIN
address: 127.0.0.1:2575
"""
ONWARD = """\
name: onward
facility: MAIN
description: d
match: msg.protocol == "fhir" && msg.kind == "patient"
destinations: {rule}
"""
CODES = "facility,code,target,name,system\nMAIN,F,female,,\n"


def rules(
    name: str = "one",
    given: str = "PID-5.1",
    on_miss: str = "hold",
    codes: str = CODES,
    blocks: str = "true",
    more: str = "",
    onward: str | None = None,
) -> RuleSet:
    rule = RULE.format(name=name, given=given, on_miss=on_miss, blocks=blocks) + more
    files = {"campuses/main/a.yaml": rule, "codes/sex.csv": codes}
    files |= {f"destinations/{one}.yaml": WARD.format(name=one) for one in ("ward", "desk")}
    if onward is not None:
        files["campuses/main/z.yaml"] = ONWARD.format(rule=onward)
    return compiled({path: text.encode() for path, text in files.items()})


def message(number: int, sex: str = "F", body: str | None = None) -> Stored:
    text = (
        body or f"MSH|^~\\&|HIS|MAIN|Y|G|20261120||ADT^A28|{number}|P|2.4\rPID|1||M{number}||王^珅|||{sex}\r"
    )
    return Stored(
        id=number,
        received_at=datetime(2026, 11, 20, tzinfo=UTC),
        facility="MAIN",
        sender="HIS",
        control_id=str(number),
        message_type="ADT^A28",
        protocol="mllp",
        endpoint="mllp",
        charset="utf-8",
        patient_number=f"M{number}",
        visit_number=None,
        message_time=None,
        body=text.encode(),
    )


def tally(before: RuleSet, after: RuleSet, *messages: Stored, values: bool = False) -> Tally:
    found = Tally(values=values)
    for _ in backtest(messages, before, after, found):
        pass
    return found


def told(found: Tally) -> list[tuple[str, str, str, str, int]]:
    return [(r["what"], r["field"], r["before"], r["after"], r["count"]) for r in found.report()]


def test_the_same_rules_decide_the_same() -> None:
    found = tally(rules(), rules(), message(1), message(2, sex="X"), message(3, body="no message"))
    assert (found.read, found.different, found.last, found.report()) == (3, 0, 3, [])


def test_a_changed_field_is_counted_with_its_messages_and_without_values() -> None:
    found = tally(rules(), rules(given="PID-5.2"), message(1), message(2))
    [one] = found.report()
    assert one == {
        "what": "field",
        "rule": "one",
        "field": "patient.name",
        "before": "a value",
        "after": "a value",
        "count": 2,
        "messages": ["1", "2"],
    }


def test_values_are_shown_when_they_are_asked_for() -> None:
    messages = [message(number) for number in range(1, SHOWN + 3)]
    [one] = tally(rules(), rules(given="PID-5.2"), *messages, values=True).report()
    assert one["count"] == SHOWN + 2
    assert len(one["messages"]) == SHOWN
    assert one["examples"][0] == {"message": "1", "before": "王", "after": "珅"}
    assert len(one["examples"]) == EXAMPLES


def test_what_goes_from_held_to_recorded_and_back_is_named_by_code_and_field() -> None:
    freed = tally(rules(), rules(codes=CODES + "MAIN,X,other,,\n"), message(1), message(2, sex="X"))
    assert told(freed) == [
        ("outcome", "PID-8", "held unmapped_code at PID-8", "recorded", 1),
        ("unmapped", "sex", "unmapped", "mapped", 1),
    ]
    assert freed.different == 1
    stopped = tally(rules(), rules(given="{path: PID-5.1, as: date}"), message(1))
    [(what, field, before, after, count)] = told(stopped)
    assert (what, field, before, count) == ("outcome", "PID-5.1", "recorded", 1)
    assert after.startswith("held ")


def test_a_store_of_any_size_has_few_kinds_of_difference() -> None:
    def held(part: int) -> Decision:
        hold = Hold("unmapped_code", "a reason", field=f"OBR[{part}]/OBX[{part + 1}]/OBX-8")
        return Decision(hold, "lab", OrderClass.RESULT, waits=False, blocks=True)

    change = Change(kind=Kind.PATIENT, patient=Patient(number="P1"))
    recorded = Decision(change, "lab", OrderClass.RESULT, waits=False, blocks=True)
    tally = Tally()
    for number in range(1, 5000):
        tally.add(number, differences(held(number % 97), recorded))
    [(key, group)] = tally.groups.items()
    assert (key.field, key.before) == ("OBR[]/OBX[]/OBX-8", "held unmapped_code at OBR[]/OBX[]/OBX-8")
    assert (group.count, len(group.messages)) == (4999, 20)


def test_another_rule_and_another_order_are_named() -> None:
    found = tally(rules(), rules(name="two", blocks="false"), message(1))
    assert {(what, before) for what, _, before, *_ in told(found)} == {
        ("rule", "one"),
        ("order", "identity, waits, blocks"),
    }


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("[ward]", "[]", ("ward", "sent raw", "not sent")),
        ("[]", "[ward]", ("ward", "not sent", "sent raw")),
        ("[ward]", "[{to: ward, send: hl7}]", ("ward", "sent raw", "sent hl7")),
        ("[ward]", '[{to: ward, when: \'field("PID-8") == "M"\'}]', ("ward", "sent raw", "not sent")),
    ],
)
def test_a_changed_destination_is_named_with_its_form(
    before: str, after: str, expected: tuple[str, str, str]
) -> None:
    old, new = (rules(more=f"destinations: {one}\n") for one in (before, after))
    found = tally(old, new, message(1), message(2, sex="X"))
    assert told(found) == [("destination", *expected, 1)], "a held message goes nowhere"
    assert found.different == 1


def test_a_changed_destination_is_found_beside_an_unchanged_one() -> None:
    old, new = (rules(more=f"destinations: {one}\n") for one in ("[ward, desk]", "[desk, ward]"))
    assert told(tally(old, new, message(1))) == [], "the order in which they are named decides nothing"


def test_what_is_written_over_fhir_is_compared_by_where_its_changes_go() -> None:
    body = json.dumps({"resourceType": "Patient"})
    written = replace(message(1, body=body), message_type="fhir:Patient", protocol="fhir")
    ward, desk = rules(onward="[{to: ward, send: hl7}]"), rules(onward="[{to: desk, send: hl7}]")
    assert tally(ward, ward, written).different == 0
    assert sorted(told(tally(ward, desk, written))) == [
        ("destination", "patient to desk", "not sent", "sent hl7", 1),
        ("destination", "patient to ward", "sent hl7", "not sent", 1),
    ]
    assert ("rule", "patient", "onward", "-", 1) in told(tally(ward, rules(), written))
    broken = rules(onward="[{to: ward, send: hl7, when: 'field(\"a\") > 1'}]")
    assert told(tally(ward, broken, written)) == [
        ("outcome", "patient", "recorded", "held bad_expression", 1)
    ]
    other = replace(message(1, body='{"resourceType": "Basic"}'), message_type="fhir:Basic", protocol="fhir")
    assert tally(ward, desk, other, replace(written, body=None)).different == 0


def test_an_assertion_that_warns_anew_is_named() -> None:
    plain = decide(rules(), message(1))
    warned = replace(plain, warnings=(Warned("A1", "/ClinicalDocument", "t"),))
    assert [(key.what, key.field, key.after) for key in differences(plain, warned)] == [
        ("warning", "A1", "warns")
    ]
