"""What a set must pass before it goes anywhere: it compiles, every rule can be reached, every test passes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bus.rules.delivering import Deliveries
from bus.rules.finding import Severity
from bus.rules.lint import Check, lint
from bus.rules.loader import Loaded, load_rules
from bus.rules.ruleset import RuleSet
from bus.rules.trial import run_tests
from bus.rules.versions.folder import laid_out
from bus.rules.versions.model import Files, Finding

TEXTS = (".yaml", ".yml", ".csv")


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found."""

    rules: int
    tests: int
    findings: tuple[Finding, ...]
    """Empty: it may be deployed."""


def check(files: Files, also: Iterable[Check] = (), deliveries: Deliveries | None = None) -> Checked:
    """Lint a set, what `also` looks at too, and run its tests (`deliveries`: see `run_tests`).

    Raises `UnfitFilesError`, OSError.
    """
    strange = tuple(undecodable(files))
    if strange:
        return Checked(0, 0, strange)
    with laid_out(files) as folder:
        try:
            return _check(folder, also, deliveries)
        except RecursionError:
            return Checked(0, 0, (Finding("campuses", 1, "a file is nested too deep"),))


def undecodable(files: Files) -> Iterator[Finding]:
    """Give each text that is not UTF-8."""
    for path, content in files.items():
        try:
            if path.endswith(TEXTS):
                content.decode()
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            yield Finding(path, line, "the file is not UTF-8; save it as UTF-8")


def _check(folder: Path, also: Iterable[Check], deliveries: Deliveries | None) -> Checked:
    loaded = load_rules(folder)
    tests = sum(len(rule.spec.tests) for rule in loaded.rules)
    findings = [
        Finding(e.file, e.line, e.message, e.column, e.code) for e in lint(folder, also).of(Severity.ERROR)
    ]
    if not loaded.rules and not findings:
        findings.append(Finding("campuses", 1, "there is no rule file; every message would be held"))
    findings += _strayed(loaded, folder)
    if not findings:
        findings += _failed(loaded, deliveries)
    return Checked(len(loaded.rules), tests, tuple(findings))


def _strayed(loaded: Loaded, folder: Path) -> Iterator[Finding]:
    """Give the tests whose message lies outside the set: it would not be there where the set goes."""
    inside = folder.resolve()
    for rule in loaded.rules:
        for number, test in enumerate(rule.spec.tests):
            name = test.given.file
            if name is not None and not (rule.path.parent / name).resolve().is_relative_to(inside):
                line = rule.marked.line(("tests", number, "given", "file"))
                yield Finding(rule.marked.file, line, "given.file lies outside the rule set; put it beside")


def _failed(loaded: Loaded, deliveries: Deliveries | None) -> Iterator[Finding]:
    for outcome in run_tests(RuleSet(loaded.rules, loaded.tables), deliveries=deliveries):
        if outcome.differences:
            message = f"{outcome.rule}: {outcome.test}: {'; '.join(outcome.differences)}"
            yield Finding(outcome.file, outcome.line, message)
