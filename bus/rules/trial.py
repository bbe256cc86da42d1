"""Runs the tests that rule files carry."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bus.hl7.message import Message
from bus.hl7.problem import HL7Error
from bus.rules.decision import Decision, Hold
from bus.rules.loader import Rule
from bus.rules.ruleset import RuleSet, unreadable
from bus.rules.spec import Expect, Given, RuleTest
from bus.sources.opening import open_source
from bus.sources.source import Envelope, UnreadableError


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one test; no differences: it passed."""

    file: str
    line: int
    rule: str
    test: str
    differences: tuple[str, ...]


def run_tests(rules: RuleSet) -> list[Outcome]:
    """Run every test of every rule against the whole set, so that an earlier rule that takes the message
    shows.
    """
    return [
        Outcome(
            rule.marked.file,
            rule.marked.line(("tests", number)),
            rule.spec.name,
            test.name,
            tuple(_differences(rules, rule, test)),
        )
        for rule in rules.rules
        for number, test in enumerate(rule.spec.tests)
    ]


def _differences(rules: RuleSet, rule: Rule, test: RuleTest) -> Sequence[str]:
    try:
        body, envelope = given(test.given, rule)
    except (ValueError, OSError, HL7Error) as error:
        return [f"given: {error}"]
    try:
        source = open_source(body, test.given.charset, envelope)
    except UnreadableError as error:
        return compare(test.expect, unreadable(error))
    return compare(test.expect, rules.decide(source, rule.spec.facility, envelope.message_type))


def given(what: Given, rule: Rule) -> tuple[bytes, Envelope]:
    """Return the body of a test's message and its envelope. Raises ValueError, OSError or HL7Error."""
    if what.json_ is not None:
        body = json.dumps(what.json_, ensure_ascii=False).encode(what.charset)
    elif what.file is not None:
        body = (rule.path.parent / what.file).read_bytes()
    elif what.text is not None:
        body = what.text.encode(what.charset)
    else:
        raise ValueError("write text, file or json")
    message_type, sender = what.type, what.sender
    if body.startswith(b"MSH"):
        body = body.replace(b"\r\n", b"\r").replace(b"\n", b"\r")
        message = Message(body.decode(what.charset), what.charset)
        event = [message.get("MSH-9.1"), message.get("MSH-9.2")]
        message_type = message_type or "^".join(part for part in event if part)
        sender = sender or message.get("MSH-3.1")
    if message_type is None:
        raise ValueError("write type: the message is not HL7")
    return body, Envelope(rule.spec.facility, sender or "", message_type)


def compare(expect: Expect, decision: Decision) -> list[str]:
    """Return what differs, a line for each."""
    found: list[str] = []
    outcome = decision.outcome
    if isinstance(outcome, Hold):
        if expect.held is None:
            found.append(f"held ({outcome.code}): {outcome.reason}")
        _same("held", expect.held, outcome.code, found)
        _same("field", expect.field, outcome.field, found)
    else:
        if expect.held is not None:
            found.append(f"held: expected {expect.held}, but it was recorded")
        _same("kind", expect.kind, outcome.kind, found)
        if expect.change is not None:
            _part("change", expect.change, outcome.model_dump(mode="json"), found)
        _same("destinations", expect.destinations, [one.to for one in decision.sendings], found)
    _same("rule", expect.rule, decision.rule, found)
    _same("unmapped", expect.unmapped, [miss.code for miss in decision.misses], found)
    return found


def _same(name: str, expected: Any, actual: Any, found: list[str]) -> None:
    if expected is not None and expected != actual:
        found.append(f"{name}: expected {expected!r}, got {actual!r}")


def _part(at: str, expected: Any, actual: Any, found: list[str]) -> None:
    if isinstance(expected, Mapping):
        if not isinstance(actual, Mapping):
            found.append(f"{at}: expected an object, got {actual!r}")
            return
        for key, value in expected.items():
            _part(f"{at}.{key}", value, actual.get(key), found)
    elif isinstance(expected, list):
        if not isinstance(actual, list) or len(actual) != len(expected):
            got = f"{len(actual)}" if isinstance(actual, list) else repr(actual)
            found.append(f"{at}: expected {len(expected)} elements, got {got}")
            return
        for number, (one, other) in enumerate(zip(expected, actual, strict=True)):
            _part(f"{at}[{number}]", one, other, found)
    elif expected != actual:
        found.append(f"{at}: expected {expected!r}, got {actual!r}")
