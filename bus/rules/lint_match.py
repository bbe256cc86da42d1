"""What the linter says of conditions: those that are never reached, and those that meet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from bus.rules.condition import Condition, never_reached, read_condition
from bus.rules.expression import ExpressionError, context_of
from bus.rules.finding import Finding, finding
from bus.rules.lint_leaves import expression_mistakes
from bus.rules.loader import Rule
from bus.rules.paths import Family, families
from bus.rules.trial import Sample, samples
from bus.sources.fhir import PROTOCOL
from bus.sources.source import PathError, Source

ROWS = frozenset({Family.ROWS})


def match_findings(rules: Sequence[Rule]) -> Iterator[Finding]:
    """Give what is wrong with the conditions of all campuses; rules are in the order they are asked."""
    for group in dict.fromkeys((rule.spec.facility, rule.onward) for rule in rules):
        yield from _campus([rule for rule in rules if (rule.spec.facility, rule.onward) == group])


def _campus(rules: Sequence[Rule]) -> Iterator[Finding]:
    conditions = [read_condition(rule.spec.match, rule.spec.facility) for rule in rules]
    dead: set[int] = set()
    for number, (rule, condition) in enumerate(zip(rules, conditions, strict=True)):
        written = ROWS if rule.onward else families(condition.allowed("msg.type") or ())
        for code, message in expression_mistakes(rule.spec.match, written, below=False, onward=rule.onward):
            yield _at_match(rule, code, message)
        if rule.onward and condition.allowed("msg.protocol") != frozenset({PROTOCOL}):
            reason = f'a rule without map is for what is written over FHIR: add msg.protocol == "{PROTOCOL}"'
            yield _at_match(rule, "not-written", reason)
        earlier = [i for i in range(number) if i not in dead]
        why = _unreachable(condition, [(rules[i], conditions[i]) for i in earlier])
        if why is not None:
            dead.add(number)
            yield _at_match(rule, *why)
    asked = list(samples(rules))
    for one, other in combinations([i for i in range(len(rules)) if i not in dead], 2):
        yield from _meeting(rules[one], rules[other], conditions[one], conditions[other], asked)


def _unreachable(condition: Condition, earlier: Sequence[tuple[Rule, Condition]]) -> tuple[str, str] | None:
    if not condition.possible():
        return "never-true", "no message can meet all parts of this condition: correct it"
    if not never_reached(condition, [c for _, c in earlier]):
        return None
    covering = [rule for rule, c in earlier if never_reached(condition, [c])]
    covering = covering[:1] or [r for r, c in earlier if c.both(condition).possible()]
    names = ", ".join(f"{rule.spec.name} ({rule.marked.file})" for rule in covering)
    reason = f"never reached: {names} takes every message this would; narrow it, or move this before it"
    return "unreachable", reason


def _meeting(
    one: Rule, other: Rule, first: Condition, second: Condition, asked: Sequence[Sample]
) -> Iterator[Finding]:
    if not first.both(second).possible():
        return
    earlier = f"{one.spec.name} ({one.marked.file})"
    if first.implies(second):
        reason = f"{earlier}, which is narrower, takes its part of these messages first; right if it is meant"
        yield _at_match(other, "narrower-first", reason)
        return
    witness = next((sample for sample in asked if _both(one, other, sample.source)), None)
    name = f"{witness.rule.spec.name}: {witness.test}" if witness else ""
    seen = f"both match the message of {name!r}" if witness else "a message may match both"
    reason = f"overlaps with {earlier}, which goes first: {seen}; make one exclude the other"
    yield _at_match(other, "overlap", reason)


def _both(one: Rule, other: Rule, source: Source) -> bool:
    context = context_of(source)
    try:
        return one.match.test(context) and other.match.test(context)
    except (ExpressionError, PathError):
        return False  # the test of the sample itself says so


def _at_match(rule: Rule, code: str, message: str) -> Finding:
    return finding(rule.marked.file, rule.marked.place(("match",)), code, message)
