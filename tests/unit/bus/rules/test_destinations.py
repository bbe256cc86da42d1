"""Destination files and the rules that name them: every mistake is said by file and line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bus.rules.decision import Hold
from bus.rules.destinations import MllpDestination, WebhookDestination, load_destinations
from bus.rules.loader import load_rules
from bus.rules.ruleset import RuleSet
from bus.rules.spec import Form, Sending
from bus.rules.trial import run_tests
from bus.sources.rows import RowSource
from bus.sources.source import Envelope
from tests.unit.bus.rules.test_ruleset import RULE, folder

WARD = """
name: ward-b
description: the ward's nurse station
facility: HP
kind: mllp
address: 127.0.0.1:2576
"""
HOOK = """
name: lab-hook
description: the laboratory's portal
facility: GROUP
kind: webhook
address: https://lab.example/hook
secret: lab_hook
"""
NAMING = """
destinations:
  - ward-b
  - {to: lab-hook, when: 'field("sex") == "2"', send: canonical}
tests:
  - name: a woman
    given: {type: "table:patient", json: {no: P1, name: 王珅, sex: "2"}}
    expect: {destinations: [ward-b, lab-hook]}
  - name: a man
    given: {type: "table:patient", json: {no: P1, name: 王珅, sex: "1"}}
    expect: {destinations: [ward-b]}
"""


def rules(tmp_path: Path, rule: str = RULE + NAMING, ward: str = WARD, hook: str = HOOK) -> Path:
    made = folder(tmp_path, rule)
    (made / "destinations").mkdir()
    (made / "destinations" / "ward-b.yaml").write_text(ward)
    (made / "destinations" / "lab-hook.yaml").write_text(hook)
    return made


def test_a_rule_sends_where_its_conditions_hold_and_its_tests_say_so(tmp_path: Path) -> None:
    made = rules(tmp_path)
    loaded = RuleSet.load(made)
    assert [outcome.differences for outcome in run_tests(loaded)] == [(), ()]
    source = RowSource({"no": "P1", "sex": "2"}, Envelope("HY", "t", "table:patient"))
    decision = loaded.decide(source, "HY", "table:patient")
    assert decision.sendings == (
        Sending(to="ward-b", send=Form.RAW),
        Sending(to="lab-hook", when='field("sex") == "2"', send=Form.CANONICAL),
    )


def test_a_test_that_expects_other_destinations_fails(tmp_path: Path) -> None:
    made = rules(tmp_path, RULE + NAMING.replace("[ward-b]}", "[lab-hook]}"))
    differences = [outcome.differences for outcome in run_tests(RuleSet.load(made))]
    assert differences == [(), ("destinations: expected ['lab-hook'], got ['ward-b']",)]


def test_a_condition_that_fails_holds_the_message_and_names_the_destination(tmp_path: Path) -> None:
    made = rules(tmp_path, RULE + "destinations: [{to: ward-b, when: 'field(\"sex\")'}]\n")
    source = RowSource({"no": "P1", "sex": "2"}, Envelope("HY", "t", "table:patient"))
    decision = RuleSet.load(made).decide(source, "HY", "table:patient")
    assert isinstance(decision.outcome, Hold)
    assert (decision.outcome.code, decision.outcome.step) == ("bad_expression", "destination ward-b")
    assert decision.sendings == ()


@pytest.mark.parametrize(
    ("naming", "said"),
    [
        ("destinations: [nowhere]", "no file rules/destinations/nowhere.yaml"),
        ("destinations: [ward-b, {to: ward-b, when: 'true'}]", "ward-b is named twice"),
        ("destinations: [{to: ward-b, send: canonical}]", "takes HL7 v2 over MLLP"),
        ("destinations: [{to: ward-b, when: 'msg.type =='}]", "CEL does not compile"),
        ("destinations: [{to: ward-b, retry: 5}]", "no key of this file"),
    ],
)
def test_a_rule_that_names_them_wrongly_is_refused(tmp_path: Path, naming: str, said: str) -> None:
    [error] = load_rules(rules(tmp_path, f"{RULE}{naming}\n")).errors
    assert error.file == "campuses/huiya/10-patient.yaml"
    assert error.line == RULE.count("\n") + 1
    assert said in error.message


CONSUMER = """
name: lab-hook
description: a consumer of HL7 v3
facility: HP
kind: pixv3
address: https://lab.example/pix
device: 1.2.156.10011.99.2.77
pix: {domains: [HP]}
"""


def test_no_rule_sends_to_who_is_told_of_changed_identifiers_alone(tmp_path: Path) -> None:
    made = rules(tmp_path, f"{RULE}destinations: [ward-b, lab-hook]\n", hook=CONSUMER)
    [error] = load_rules(made).errors
    assert error.line == RULE.count("\n") + 1
    assert "lab-hook is told of changed identifiers alone" in error.message


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (CONSUMER.replace("1.2.156", "1.2.0156"), "device"),
        (CONSUMER.replace("[HP]", "[HP], document_registry: true"), "ITI-64 is HL7 v2"),
    ],
)
def test_a_mistake_in_a_consumer_s_file_is_named(tmp_path: Path, wrong: str, said: str) -> None:
    [error] = load_destinations(rules(tmp_path, RULE, hook=wrong)).errors
    assert said in error.message


def test_what_a_file_says_is_read(tmp_path: Path) -> None:
    found = load_destinations(rules(tmp_path))
    ward, hook = found.by_name["ward-b"], found.by_name["lab-hook"]
    assert isinstance(ward, MllpDestination)
    assert isinstance(hook, WebhookDestination)
    assert (ward.host, ward.port, ward.connections, ward.resend_ambiguous) == ("127.0.0.1", 2576, 1, False)
    assert found.errors == ()


@pytest.mark.parametrize(
    ("changed", "line", "said"),
    [
        ({"ward": WARD.replace("mllp", "carrier-pigeon")}, 5, "one of mllp, webhook"),
        ({"ward": WARD.replace("ward-b", "ward-c")}, 2, "the file of ward-c is named ward-c.yaml"),
        ({"ward": WARD.replace(":2576", "")}, 6, "address"),
        ({"ward": WARD + "timeout: 5\n"}, 7, "timeout: no key of this file"),
        ({"ward": WARD + "connections: 0\n"}, 7, "connections"),
        ({"hook": HOOK.replace("https", "http")}, 1, "in the clear"),
        ({"hook": HOOK.replace("lab.example", "user:word@lab.example")}, 6, "no user and password here"),
        ({"hook": HOOK.replace("https://lab.example/hook", "lab.example")}, 6, "write https://host/path"),
        ({"hook": HOOK.replace("lab_hook", "the secret itself!")}, 7, "secret"),
    ],
)
def test_a_mistake_in_a_file_is_named(tmp_path: Path, changed: dict[str, Any], line: int, said: str) -> None:
    [error] = load_destinations(rules(tmp_path, RULE, **changed)).errors
    assert error.line == line
    assert said in error.message


def test_http_is_taken_on_loopback_or_when_said(tmp_path: Path) -> None:
    plain = HOOK.replace("https", "http") + "plain_http: true\n"
    assert load_destinations(rules(tmp_path, RULE, hook=plain)).errors == ()


def test_a_word_of_patients_does_not_stand_in_a_mistake_of_a_rule(tmp_path: Path) -> None:
    loaded = load_rules(rules(tmp_path))
    assert loaded.errors == []
    assert set(loaded.destinations) == {"ward-b", "lab-hook"}


SOAP = """
name: lab-hook
description: a service
facility: GROUP
kind: soap
address: https://lab.example/in
wsdl: a.wsdl
operation: Send
"""
TABLES = """
name: lab-hook
description: a table
facility: GROUP
kind: tables
database: lab
table: result
key: [no]
columns: {no: change.patient.number, name: change.patient.name}
"""
REST = """
name: lab-hook
description: a portal
facility: GROUP
kind: rest
address: https://lab.example/in
body: {no: PID-3.1}
"""
IN_THE_CLEAR = SOAP.replace("https", "http") + (
    "plain_http: true\nsecurity: {user: u, secret: lab, digest: false}\n"
)


@pytest.mark.parametrize(
    ("hook", "line", "said"),
    [
        (SOAP, 7, "there is no lab-hook/SHA256SUMS: in lab-hook/ run: sha256sum"),
        (SOAP.replace("a.wsdl", "../a.wsdl"), 7, "wsdl"),
        (SOAP.replace("a.wsdl", "https://lab.example/a.wsdl"), 7, "wsdl"),
        (IN_THE_CLEAR, 1, "sends the password as text; write https://"),
        (TABLES.replace("key: [no]", "key: [number]"), 1, "key number is not under columns"),
        (TABLES.replace("key: [no]", "key: [no, no]"), 1, "named twice"),
        (TABLES + "status: {column: name}\n", 1, "name is the status column: take it out of columns"),
        (TABLES + "zone: Asia/Nowhere\n", 10, "no time zone; write one as Asia/Shanghai"),
        (TABLES.replace("table: result", "table: result; DROP TABLE x"), 7, "table"),
        (TABLES.replace("database: lab", "database: postgresql://u:p@h/d"), 6, "database"),
        (TABLES.replace("no: change.patient.number", "no: {path: x, as: day}"), 9, "as"),
        (REST.replace("{no: PID-3.1}", "{no: {path: PID-3.1, neded: true}}"), 7, "neded"),
        (REST + "headers: {Authorization: Bearer x}\n", 8, "there are sign_in and content_type"),
    ],
)
def test_a_mistake_in_a_soap_rest_or_tables_file_is_named(
    tmp_path: Path, hook: str, line: int, said: str
) -> None:
    [error] = load_destinations(rules(tmp_path, RULE, hook=hook)).errors
    assert error.line == line
    assert said in error.message


@pytest.mark.parametrize(
    ("hook", "send", "said"),
    [
        (TABLES, "raw", "reads the canonical change (change.patient.name): write send: canonical"),
        (TABLES, "canonical", None),
        (REST, "raw", None),
        (REST.replace("PID-3.1", "change.patient.number"), "raw", "write send: canonical"),
        (REST.replace("{no: PID-3.1}", "{list: {each: change.reports, of: number}}"), "raw", "canonical"),
    ],
)
def test_a_rule_sends_what_its_destination_reads(
    tmp_path: Path, hook: str, send: str, said: str | None
) -> None:
    naming = f"destinations: [{{to: lab-hook, send: {send}}}]\n"
    errors = load_rules(rules(tmp_path, RULE + naming, hook=hook)).errors
    assert [error.line for error in errors] == [RULE.count("\n") + 1] * bool(said)
    assert all(said and said in error.message for error in errors)
