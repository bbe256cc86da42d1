"""What a changed set would decide otherwise."""

from __future__ import annotations

from datetime import UTC, datetime

from bus.envelope import Stored
from bus.rules.ruleset import RuleSet
from bus.rules.versions.backtest import EXAMPLES, SHOWN, Tally, backtest
from bus.rules.versions.folder import compiled

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
CODES = "facility,code,target,name,system\nMAIN,F,female,,\n"


def rules(
    name: str = "one", given: str = "PID-5.1", on_miss: str = "hold", codes: str = CODES, blocks: str = "true"
) -> RuleSet:
    rule = RULE.format(name=name, given=given, on_miss=on_miss, blocks=blocks)
    return compiled({"campuses/main/a.yaml": rule.encode(), "codes/sex.csv": codes.encode()})


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


def test_another_rule_and_another_order_are_named() -> None:
    found = tally(rules(), rules(name="two", blocks="false"), message(1))
    assert {(what, before) for what, _, before, *_ in told(found)} == {
        ("rule", "one"),
        ("order", "identity, waits, blocks"),
    }
