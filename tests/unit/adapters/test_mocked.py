"""Rule tests try their destinations: built as delivery builds, decided as delivery decides."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from adapters.mocked import MockedDelivery
from bus.fhir.systems import Systems
from bus.rules.ruleset import RuleSet
from bus.rules.trial import run_tests
from bus.rules.versions.check import check
from bus.rules.versions.folder import read_folder
from runtime import settings
from runtime.settings import Settings
from runtime.verbs.rules import passed_on
from tests.unit.bus.rules.test_destinations import REST, TABLES, rules
from tests.unit.bus.rules.test_ruleset import RULE

WARD = """
name: ward-b
description: the ward's nurse station
facility: HP
kind: mllp
address: 127.0.0.1:2576
"""
PORTAL = REST.replace(
    "{no: PID-3.1}",
    "{no: {path: change.patient.number, needed: true}, born: {path: change.patient.birth_date, as: date}}",
)
TEST = """
destinations: {destinations}
tests:
  - name: a woman
    given: {{type: "table:patient", json: {row}}}
    answers: {answers}
    expect: {expect}
"""
ROW = {"no": "P1", "name": "王珅", "sex": "2", "born": "19800102"}
MOCKED = MockedDelivery(Systems(Settings()))
CANONICAL = [{"to": "lab-hook", "send": "canonical"}]
HL7 = [{"to": "ward-b", "send": "hl7"}]


def made(
    tmp_path: Path,
    destinations: Any,
    expect: Any,
    answers: Any = None,
    row: Any = None,
    hook: str = PORTAL,
    ward: str = WARD,
    rule: str = RULE,
) -> Path:
    texts = [json.dumps(one, ensure_ascii=False) for one in (destinations, row or ROW, answers or {}, expect)]
    test = TEST.format(destinations=texts[0], row=texts[1], answers=texts[2], expect=texts[3])
    return rules(tmp_path, rule.replace("ON_MISS", "hold") + test, ward, hook)


def differences(*args: Any, **more: Any) -> list[str]:
    [outcome] = run_tests(RuleSet.load(made(*args, **more)), deliveries=MOCKED)
    return list(outcome.differences)


def test_what_is_sent_is_shaped_and_built_as_delivery_does(tmp_path: Path) -> None:
    sent = {
        "lab-hook": {"no": "P1", "born": "1980-01-02"},
        "ward-b": {"MSH-9.1": "ADT", "PID-3.1": "P1", "PID-7": "19800102", "PID-8": "F", "PID-19": None},
    }
    assert differences(tmp_path, CANONICAL + HL7, {"sent": sent}) == []


@pytest.mark.parametrize(
    ("destinations", "sent", "said"),
    [
        (CANONICAL, {"lab-hook": {"no": "P2"}}, "sent.lab-hook.no: expected 'P2', got 'P1'"),
        (HL7, {"ward-b": {"PID-3.1": "P2"}}, "sent.ward-b.PID-3.1: expected 'P2', got 'P1'"),
        (HL7, {"ward-b": {"patient.number": "P1"}}, "sent.ward-b: 'patient.number'"),
        (HL7, {"ward-b": "P1"}, "sent.ward-b: write values by their paths"),
        (HL7, {"lab-hook": {"no": "P1"}}, "sent.lab-hook: the message does not go there"),
    ],
)
def test_what_differs_from_what_is_sent_is_named(
    tmp_path: Path, destinations: Any, sent: Any, said: str
) -> None:
    [told] = differences(tmp_path, destinations, {"sent": sent})
    assert told.startswith(said)


def test_the_canonical_change_fhir_and_raw_json_are_compared_too(tmp_path: Path) -> None:
    hook = REST.split("body:")[0]
    canonical = {"lab-hook": {"source": {"facility": "HY"}, "change": {"patient": {"sex": "female"}}}}
    assert differences(tmp_path / "a", CANONICAL, {"sent": canonical}, hook=hook) == []
    fhir = {"lab-hook": {"resourceType": "Bundle", "type": "transaction"}}
    assert differences(tmp_path / "b", [{"to": "lab-hook", "send": "fhir"}], {"sent": fhir}, hook=hook) == []
    assert differences(tmp_path / "c", ["lab-hook"], {"sent": {"lab-hook": {"no": "P1"}}}, hook=hook) == []


def test_rows_of_a_table_are_a_list_and_a_key_is_needed(tmp_path: Path) -> None:
    sent = {"lab-hook": [{"no": "P1", "name": "王珅"}]}
    assert differences(tmp_path / "a", CANONICAL, {"sent": sent}, hook=TABLES) == []
    lacking = TABLES.replace("no: change.patient.number", "no: change.patient.phone")
    [told] = differences(tmp_path / "b", CANONICAL, {"sent": sent}, hook=lacking)
    assert told == (
        "sent.lab-hook: it would be parked (missing): column no needs a value, and the message has none"
    )


def test_each_change_of_a_message_that_is_split_is_sent_by_itself(tmp_path: Path) -> None:
    rule = RULE.replace("map:\n", "map:\n  each: patients\n")
    row = {"patients": [{**ROW, "no": "P1"}, {**ROW, "no": "P2"}]}
    sent = [{"no": "P1"}, {"no": "P2"}]
    expect = {"sent": {"lab-hook": sent}, "deliveries": {"lab-hook": "retried"}}
    answers = {"lab-hook": 503}
    assert differences(tmp_path / "a", CANONICAL, expect, answers, row, rule=rule) == []
    expect["sent"] = {"lab-hook": sent[:1]}
    [told] = differences(tmp_path / "b", CANONICAL, expect, answers, row, rule=rule)
    assert told == "sent.lab-hook: the message is split: write a list of 2, one for each change"


@pytest.mark.parametrize(
    ("answer", "fate"),
    [
        ("AA", "delivered"),
        ("AE", "retried"),
        ("AR", "parked"),
        ("CA", "ambiguous"),
        ("timeout", "ambiguous"),
        ("unreachable", "retried"),
    ],
)
def test_an_answer_over_mllp_is_decided_as_delivery_decides(tmp_path: Path, answer: str, fate: str) -> None:
    assert differences(tmp_path, HL7, {"deliveries": {"ward-b": fate}}, {"ward-b": answer}) == []


@pytest.mark.parametrize(
    ("answer", "fate"),
    [
        (200, "delivered"),
        (409, "delivered"),
        (422, "parked"),
        (401, "retried"),
        (500, "retried"),
        (504, "ambiguous"),
    ],
)
def test_a_status_is_decided_as_delivery_decides(tmp_path: Path, answer: int, fate: str) -> None:
    hook = PORTAL + "also_taken: [409]\n"
    expect = {"deliveries": {"lab-hook": fate}}
    assert differences(tmp_path, CANONICAL, expect, {"lab-hook": answer}, hook=hook) == []


def test_what_the_destinations_file_says_counts(tmp_path: Path) -> None:
    hl7, answers = {"deliveries": {"ward-b": "retried"}}, {"ward-b": "timeout"}
    assert differences(tmp_path / "a", HL7, hl7, answers, ward=WARD + "resend_ambiguous: true\n") == []
    enhanced = WARD + "acknowledgement: enhanced\n"
    taken = {"deliveries": {"ward-b": "delivered"}}
    assert differences(tmp_path / "b", HL7, taken, {"ward-b": "CA"}, ward=enhanced) == []
    rows, written = {"deliveries": {"lab-hook": "delivered"}}, {"lab-hook": "written"}
    assert differences(tmp_path / "c", CANONICAL, rows, written, hook=TABLES) == []


def test_what_cannot_be_built_is_parked_whatever_the_answer(tmp_path: Path) -> None:
    lacking = PORTAL.replace("change.patient.number", "change.patient.phone")
    expect = {"deliveries": {"lab-hook": "parked"}}
    assert differences(tmp_path / "a", CANONICAL, expect, {"lab-hook": 200}, hook=lacking) == []
    assert differences(tmp_path / "b", CANONICAL, expect, hook=lacking) == []
    raw = {"deliveries": {"ward-b": "parked"}}
    assert differences(tmp_path / "c", ["ward-b"], raw, {"ward-b": "AA"}) == [], "a row is no HL7"


@pytest.mark.parametrize(
    ("expect", "answers", "said"),
    [
        ({"ward-b": "delivered"}, {"ward-b": "AR"}, "deliveries.ward-b: expected 'delivered', got 'parked'"),
        ({"ward-b": "delivered"}, {}, "answers.ward-b: say what it answers"),
        ({"ward-b": "delivered"}, {"ward-b": 200}, "answers.ward-b: an MLLP destination answers AA, AE"),
        ({"lab-hook": "delivered"}, {"lab-hook": "AA"}, "deliveries.lab-hook: the message does not go there"),
        ({}, {"ward-b": "AA"}, "answers.ward-b: say under expect.deliveries"),
    ],
)
def test_what_differs_from_what_becomes_of_it_is_named(
    tmp_path: Path, expect: Any, answers: Any, said: str
) -> None:
    [told] = differences(tmp_path, HL7, {"deliveries": expect}, answers)
    assert told.startswith(said)


@pytest.mark.parametrize(("hook", "answer"), [(PORTAL, "AA"), (PORTAL, "20"), (TABLES, "200")])
def test_an_answer_that_a_destination_never_gives_is_named(tmp_path: Path, hook: str, answer: str) -> None:
    expect = {"deliveries": {"lab-hook": "delivered"}}
    [told] = differences(tmp_path, CANONICAL, expect, {"lab-hook": answer}, hook=hook)
    assert told.startswith("answers.lab-hook: ")


def test_a_held_message_is_sent_nowhere(tmp_path: Path) -> None:
    expect = {"held": "unmapped_code", "sent": {"ward-b": {"PID-3.1": "P1"}}}
    [told] = differences(tmp_path, HL7, expect, row={**ROW, "sex": "X"})
    assert told == "sent.ward-b: the message does not go there"


def test_the_command_and_the_check_before_a_deployment_try_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(settings, "load", Settings)
    folder = made(tmp_path, HL7, {"sent": {"ward-b": {"PID-3.1": "P2"}}})
    assert passed_on(["test", "--rules", str(folder)]) == 1
    assert "sent.ward-b.PID-3.1: expected 'P2', got 'P1'" in capsys.readouterr().out
    [found] = check(read_folder(folder), deliveries=MOCKED).findings
    assert "expected 'P2', got 'P1'" in found.message
    assert check(read_folder(folder)).findings == ()
