"""Runs the tests that rule files carry."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bus.hl7.message import Message
from bus.hl7.problem import HL7Error
from bus.rules.codes import ANY, CodeTable, Target
from bus.rules.decision import Decision, Hold, HoldingError
from bus.rules.delivering import Deliveries, Trial, compare_deliveries
from bus.rules.destinations import load_destinations
from bus.rules.difference import change_as_json
from bus.rules.expected import part, same
from bus.rules.loader import Loaded, Rule, compile_rule
from bus.rules.marks import RuleError
from bus.rules.onward import written
from bus.rules.records import GivenRecords
from bus.rules.ruleset import RuleSet, unreadable
from bus.rules.spec import Expect, Given, Meaning, RuleTest
from bus.rules.watch import Watch
from bus.sources.fhir import PROTOCOL, TYPE
from bus.sources.opening import open_source
from bus.sources.source import Envelope, Source, UnreadableError


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one test; no differences: it passed."""

    file: str
    line: int
    rule: str
    test: str
    differences: tuple[str, ...]
    seconds: float = 0.0


def run_tests(
    rules: RuleSet,
    chosen: Callable[[Rule], bool] = lambda _: True,
    watch: Watch | None = None,
    clock: Callable[[], float] = time.perf_counter,
    deliveries: Deliveries | None = None,
) -> list[Outcome]:
    """Run the tests of the chosen rules against the whole set, so that an earlier rule that takes the message
    shows. `watch` is the one that the set was compiled with.

    `deliveries` builds and decides as delivery does. None: what is sent and what becomes of it is not
    compared, as at the first start of a database, whose set was tested where it was written.
    """
    outcomes = []
    for rule in filter(chosen, rules.rules):
        for number, test in enumerate(rule.spec.tests):
            began = clock()
            found = tuple(_differences(rules, rule, test, watch, deliveries))
            line = rule.marked.line(("tests", number))
            outcomes.append(
                Outcome(rule.marked.file, line, rule.spec.name, test.name, found, clock() - began)
            )
    return outcomes


def _differences(
    rules: RuleSet, rule: Rule, test: RuleTest, watch: Watch | None, deliveries: Deliveries | None
) -> Sequence[str]:
    try:
        body, envelope = given(test.given, rule)
    except (ValueError, OSError, HL7Error) as error:
        return [f"given: {error}"]
    if rule.onward:
        return _sent_on(rules, body, envelope, test)
    try:
        source = open_source(body, test.given.charset, envelope)
    except UnreadableError as error:
        return compare(test.expect, unreadable(error))
    if test.codes:
        rules = _with_codes(rules, rule.spec.facility, test, watch)
    records = GivenRecords(test.records)
    decision = rules.decide(source, rule.spec.facility, envelope.message_type, records)
    found = compare(test.expect, decision)
    if deliveries is not None:
        decided = next((one for one in rules.rules if one.spec.name == decision.rule), None)
        found += compare_deliveries(Trial(test, decided, decision, body, envelope), deliveries)
    return found


def _sent_on(rules: RuleSet, body: bytes, envelope: Envelope, test: RuleTest) -> list[str]:
    """Return what differs for a rule without a map: it is expected to send changes on, and nothing else."""
    known = test.expect.model_dump(exclude_none=True).keys() - {"rule", "destinations"}
    found = [f"{key}: a rule without map decides destinations alone" for key in sorted(known)]
    try:
        source, kinds = written(body, test.given.charset, envelope)
        going = [rules.onward(source, envelope.facility, kind) for kind in kinds]
    except (UnreadableError, HoldingError) as error:
        return [*found, f"given: {error.hold.reason if isinstance(error, HoldingError) else error}"]
    sent = [one.to for change in going for one in change.sendings]
    same("destinations", test.expect.destinations, list(dict.fromkeys(sent)), found)
    fired = [one.rule for one in going if one.rule is not None]
    if test.expect.rule is not None and test.expect.rule not in fired:
        found.append(f"rule: expected {test.expect.rule!r}, got {', '.join(dict.fromkeys(fired)) or None!r}")
    return found


def _with_codes(rules: RuleSet, facility: str, test: RuleTest, watch: Watch | None) -> RuleSet:
    """Return the rules of a campus, compiled anew with the code tables that the test gives."""
    tables = {**rules.tables, **{name: mocked(name, codes) for name, codes in test.codes.items()}}
    errors: list[RuleError] = []
    folder = next(rule.path.parents[2] for rule in rules.rules)
    known = Loaded(tables=tables, destinations=load_destinations(folder).by_name)
    campus = [
        compile_rule(rule.path, folder, known, errors, watch)
        for rule in rules.rules
        if rule.spec.facility == facility
    ]
    if errors:
        raise errors[0]
    return RuleSet([rule for rule in campus if rule is not None], tables)


def mocked(name: str, codes: Mapping[str, str | Meaning]) -> CodeTable:
    """Return the code table that a test gives."""
    rows = {}
    for code, meaning in codes.items():
        one = Meaning(code=meaning) if isinstance(meaning, str) else meaning
        rows[ANY, code] = Target(one.code, one.name, one.system)
    return CodeTable(name, rows)


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
    protocol = PROTOCOL if message_type.startswith(TYPE) else ""
    return body, Envelope(rule.spec.facility, sender or "", message_type, protocol)


@dataclass(frozen=True, slots=True)
class Sample:
    """The message of a test; of one that is written over FHIR, each of its changes."""

    rule: Rule
    test: str
    source: Source


def samples(rules: Sequence[Rule]) -> Iterator[Sample]:
    """Give the messages of the rules' tests; those that cannot be read are left to the test itself."""
    for rule in rules:
        for test in rule.spec.tests:
            try:
                body, envelope = given(test.given, rule)
                for source in _sources(rule, body, test.given.charset, envelope):
                    yield Sample(rule, test.name, source)
            except (ValueError, OSError, HL7Error, UnreadableError):
                continue  # `rules test` says what is wrong with it


def _sources(rule: Rule, body: bytes, charset: str, envelope: Envelope) -> list[Source]:
    if not rule.onward:
        return [open_source(body, charset, envelope)]
    source, kinds = written(body, charset, envelope)
    return [source.about(kind) for kind in kinds]


def compare(expect: Expect, decision: Decision) -> list[str]:
    """Return what differs, a line for each."""
    found: list[str] = []
    outcome = decision.outcome
    if isinstance(outcome, Hold):
        if expect.held is None:
            found.append(f"held ({outcome.code}): {outcome.reason}")
        same("held", expect.held, outcome.code, found)
        same("field", expect.field, outcome.field, found)
    else:
        if expect.held is not None:
            found.append(f"held: expected {expect.held}, but it was recorded")
        same("kind", expect.kind, outcome.kind, found)
        if expect.change is not None:
            part("change", expect.change, change_as_json(outcome), found)
        if expect.changes is not None:
            part("changes", expect.changes, [change_as_json(one) for one in decision.changes], found)
        same("destinations", expect.destinations, [one.to for one in decision.sendings], found)
    same("rule", expect.rule, decision.rule, found)
    same("warnings", expect.warnings, [warned.id for warned in decision.warnings], found)
    same("unmapped", expect.unmapped, [miss.code for miss in decision.misses], found)
    return found
