"""The linter: everything about a folder of rules that can be said before a message comes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from bus.rules.condition import read_condition
from bus.rules.finding import Finding, Report, finding, from_error
from bus.rules.lint_leaves import Spots, expression_mistakes, leaf_findings
from bus.rules.lint_master_data import master_data_findings
from bus.rules.lint_match import match_findings
from bus.rules.lint_shapes import shape_findings
from bus.rules.lint_systems import system_findings
from bus.rules.lint_unused import unused
from bus.rules.loader import Loaded, Rule, load_rules
from bus.rules.marks import RuleError
from bus.rules.paths import Family, families, mistake
from bus.rules.spec import PathLeaf

Check = Callable[[Path], Iterable[RuleError]]
"""Finds the mistakes in other reviewed files of the folder: an adapter's, say."""
Needed = Callable[[Path], Iterable[str]]
"""Names the settings of this machine that a folder without mistakes needs and that are missing."""


def lint(rules_dir: Path, also: Iterable[Check] = ()) -> Report:
    """Check a folder of rules, its code tables and includes, and what `also` looks at."""
    spots = Spots()
    loaded = load_rules(rules_dir, spots)
    found = [from_error(error) for error in loaded.errors]
    found += [from_error(error) for check in also for error in check(rules_dir)]
    for rule in loaded.rules:
        found += _of_rule(rule, spots, loaded)
    found += match_findings(loaded.rules)
    found += master_data_findings(loaded)
    found += system_findings(rules_dir, loaded)
    if not loaded.errors:
        found += unused(loaded, spots, rules_dir)
    unique = sorted(set(found), key=lambda f: (f.file, f.line, f.column, f.code, f.message))
    return Report(len(loaded.rules), len(loaded.tables), tuple(unique))


def _of_rule(rule: Rule, spots: Spots, loaded: Loaded) -> Iterator[Finding]:
    types = read_condition(rule.spec.match, rule.spec.facility).allowed("msg.type")
    written = frozenset({Family.ROWS}) if rule.onward else families(types or ())
    yield from _conditions(rule, written)
    yield from shape_findings(rule, written, loaded)
    yield from _enclosed(rule, written)
    if rule.spec.document is not None:
        written = frozenset({Family.XML})
    for spot in spots.of(rule.spec.name):
        yield from leaf_findings(spot, written, rule.spec.facility, loaded.tables)
    if rule.spec.xslt is not None and written - {Family.XML}:
        reason = "the messages of this rule are no XML: take xslt out, or narrow match"
        yield finding(rule.marked.file, rule.marked.place(("xslt",)), "not-xml", reason)
    if rule.spec.schematron and written - {Family.XML}:
        reason = "the messages of this rule are no XML: take schematron out, or narrow match"
        yield finding(rule.marked.file, rule.marked.place(("schematron",)), "not-xml", reason)
    yield from _idle_mocks(rule, spots)
    if not rule.spec.tests:
        reason = f"the rule {rule.spec.name} has no test: add one below tests"
        yield finding(rule.marked.file, rule.marked.place(("name",)), "untested", reason)


def _conditions(rule: Rule, written: frozenset[Family]) -> Iterator[Finding]:
    """Give what is wrong with what the conditions of destinations ask."""
    for number, sending in enumerate(rule.spec.sendings):
        place = rule.marked.place(("destinations", number, "when"))
        for code, reason in expression_mistakes(sending.when or "", written, below=False, onward=rule.onward):
            yield finding(rule.marked.file, place, code, reason)


def _enclosed(rule: Rule, written: frozenset[Family]) -> Iterator[Finding]:
    """Give what is wrong with the paths at which a message has its document and its patient."""
    if rule.spec.document is None:
        return
    for name, path in (("path", rule.spec.document.path), ("patient", rule.spec.document.patient)):
        for reason in sorted({mistake(path, family, below=False) or "" for family in written} - {""}):
            yield finding(rule.marked.file, rule.marked.place(("document", name)), "bad-path", reason)


def _idle_mocks(rule: Rule, spots: Spots) -> Iterator[Finding]:
    used = {spot.entry.lookup for spot in spots.of(rule.spec.name) if isinstance(spot.entry, PathLeaf)}
    for number, test in enumerate(rule.spec.tests):
        for name in test.codes.keys() - used:
            place = rule.marked.place(("tests", number, "codes", name))
            reason = f"the test gives a table {name}, in which this rule looks nothing up: correct its name"
            yield finding(rule.marked.file, place, "idle-codes", reason)
