"""Trying a rule set that is given as files: its lint, its tests, and what it makes of one message.

Nothing is written anywhere but a folder that goes away again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bus.rules.codes import CodeTable
from bus.rules.compile import nearest
from bus.rules.coverage import Coverage, Covered, count_matches
from bus.rules.delivering import Deliveries
from bus.rules.difference import Difference, differences
from bus.rules.explain import Explanation, explain
from bus.rules.finding import Finding, Report, Severity, from_error
from bus.rules.lint import Check, lint
from bus.rules.loader import Rule, load_rules, names_of
from bus.rules.masking import Show
from bus.rules.message import Message
from bus.rules.recorder import Recorder
from bus.rules.ruleset import InvalidRulesError, RuleSet
from bus.rules.trial import Outcome, run_tests
from bus.rules.versions.check import undecodable
from bus.rules.versions.folder import laid_out
from bus.rules.versions.model import Files

Refresh = Callable[[dict[str, CodeTable]], object]
"""Takes what was mapped since the files were read into the tables."""


@dataclass(frozen=True, slots=True)
class Tested:
    """What the tests of a set came to."""

    errors: tuple[Finding, ...]
    """What keeps it from being loaded; then no test ran."""
    outcomes: Sequence[Outcome]
    coverage: Sequence[Covered]

    @property
    def passed(self) -> bool:
        """Whether all rules loaded and all tests passed."""
        return not self.errors and not any(one.differences for one in self.outcomes)


def linted(files: Files, also: Iterable[Check] = ()) -> Report:
    """Lint a set, and what `also` looks at. Raises `UnfitFilesError`, `InvalidRulesError`, OSError."""
    found = tuple(
        Finding(one.file, one.line, 1, "bad-yaml", Severity.ERROR, one.message) for one in undecodable(files)
    )
    if found:
        return Report(0, 0, found)
    with _folder(files) as folder:
        return lint(folder, also)


def tested(files: Files, names: Sequence[str], deliveries: Deliveries | None) -> Tested:
    """Run the tests of the rules, campuses and folders named, or all (`deliveries`: see `run_tests`).

    Raises `UnfitFilesError`, `InvalidRulesError`, also for a name that the set does not have, OSError.
    """
    coverage = Coverage()
    with _folder(files) as folder:
        loaded = load_rules(folder, coverage)
        if loaded.errors:
            return Tested(tuple(from_error(error) for error in loaded.errors), (), ())
        chosen = _choice(loaded.rules, names)
        outcomes = run_tests(RuleSet(loaded.rules, loaded.tables), chosen, coverage, deliveries=deliveries)
        count_matches(loaded.rules, coverage)
    covered = [coverage.of(rule.spec.name) for rule in loaded.rules if chosen(rule)]
    return Tested((), outcomes, covered)


def _choice(rules: Sequence[Rule], names: Sequence[str]) -> Callable[[Rule], bool]:
    known = {name for rule in rules for name in names_of(rule)}
    for name in names:
        if name not in known:
            raise InvalidRulesError(f"there is no rule, campus or folder {name!r}; {nearest(name, known)}")
    return lambda rule: not names or not names_of(rule).isdisjoint(names)


def explained(files: Files, message: Message, show: Show, refresh: Refresh) -> Explanation:
    """Say why a set does with a message what it does. Raises as `tested`, also for rules that do not load."""
    recorder = Recorder()
    with _folder(files) as folder:
        loaded = load_rules(folder, recorder)
    refresh(loaded.tables)
    return explain(loaded, recorder, message, show)


def compared(before: Files, after: Files, message: Message, refresh: Refresh) -> list[Difference]:
    """Return what two sets make of a message that is not the same; the values are the message's own.

    Raises as `explained`.
    """
    decisions = []
    for files in (before, after):
        with _folder(files) as folder:
            rules = RuleSet.load(folder)
        refresh(rules.tables)
        decisions.append(message.decide(rules))
    return differences(*decisions)


@contextmanager
def _folder(files: Files) -> Iterator[Path]:
    with laid_out(files) as folder:
        try:
            yield folder
        except UnicodeDecodeError as error:
            raise InvalidRulesError("a file is not UTF-8; lint names it") from error
        except RecursionError as error:
            raise InvalidRulesError("a file is nested too deep") from error
