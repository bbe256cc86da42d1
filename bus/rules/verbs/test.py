"""`yilian rules test`: runs the tests that rule files carry, and says which branches they leave out."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bus.rules.compile import nearest
from bus.rules.coverage import Coverage, Covered, count_matches, short_of
from bus.rules.delivering import Deliveries
from bus.rules.finding import from_error
from bus.rules.junit import junit
from bus.rules.loader import Loaded, Rule, load_rules, names_of
from bus.rules.ruleset import RuleSet
from bus.rules.trial import Outcome, run_tests
from bus.rules.verbs.output import CommandError, rules_dir, takes_rules
from bus.terminal import show_json, write
from runtime.words import words

HELP = words("run the tests that rule files carry", "运行规则文件自带的测试")


@dataclass(frozen=True, slots=True)
class Results:
    """What the tests of the chosen rules came to."""

    loaded: Loaded
    outcomes: Sequence[Outcome]
    coverage: Sequence[Covered]

    @property
    def failed(self) -> list[Outcome]:
        """The tests that did not pass."""
        return [outcome for outcome in self.outcomes if outcome.differences]

    @property
    def passed(self) -> bool:
        """Whether all rules loaded and all tests passed."""
        return not self.loaded.errors and not self.failed

    def below(self, threshold: float | None) -> list[Covered]:
        """Return the rules of whose branches the tests go through less than so many percent."""
        return short_of(self.coverage, threshold)


def configure(parser: argparse.ArgumentParser) -> None:
    """Name the options."""
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=words("only these rules, campus codes or campus folders", "仅运行这些规则、院区代码或院区目录"),
    )
    parser.add_argument(
        "--junit",
        type=Path,
        metavar="FILE",
        help=words("write the results as JUnit XML", "将结果写为 JUnit XML"),
    )
    parser.add_argument(
        "--coverage",
        action="store_true",
        help=words("list the branches that no test goes through", "列出没有测试覆盖的分支"),
    )
    parser.add_argument(
        "--threshold",
        type=_percent,
        metavar="PERCENT",
        help=words(
            "fail when the tests of a rule go through less of its branches, and list those left out",
            "规则的分支覆盖率低于该百分比时失败，并列出未覆盖的分支",
        ),
    )
    takes_rules(parser)


def _percent(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 100:
        raise argparse.ArgumentTypeError("write a number from 0 to 100")
    return value


def run(options: argparse.Namespace) -> int:
    """Test; returns 1 when a test fails, the rules do not load, or too few of a rule's branches are gone
    through.
    """
    results = _results(rules_dir(options), options.names, options.deliveries)
    below = results.below(options.threshold)
    if options.junit is not None:
        covered = {one.rule: one for one in results.coverage}
        options.junit.write_bytes(junit(results.outcomes, results.loaded.errors, covered))
    if options.json:
        show_json(_as_json(results, options.threshold))
    else:
        _show(results, options.threshold, branches=options.coverage)
    return 0 if results.passed and not below else 1


def _results(folder: Path, names: Sequence[str], deliveries: Deliveries | None) -> Results:
    coverage = Coverage()
    loaded = load_rules(folder, coverage)
    if loaded.errors:
        return Results(loaded, [], [])
    chosen = _choice(loaded, names)
    outcomes = run_tests(RuleSet(loaded.rules, loaded.tables), chosen, coverage, deliveries=deliveries)
    count_matches(loaded.rules, coverage)
    return Results(loaded, outcomes, [coverage.of(r.spec.name) for r in loaded.rules if chosen(r)])


def _choice(loaded: Loaded, names: Sequence[str]) -> Callable[[Rule], bool]:
    known = {name for rule in loaded.rules for name in names_of(rule)}
    for name in names:
        if name not in known:
            near = nearest(name, known)
            raise CommandError(
                f"there is no rule, campus or folder {name!r}; {near}",
                zh=f"没有规则、院区或目录 {name!r}；{near}",
            )
    return lambda rule: not names or not names_of(rule).isdisjoint(names)


def _as_json(results: Results, threshold: float | None) -> dict[str, Any]:
    errors = [
        {"file": e.file, "line": e.line, "column": e.place.column, "code": e.code, "message": e.message}
        for e in results.loaded.errors
    ]
    errors += [
        {"file": o.file, "line": o.line, "rule": o.rule, "test": o.test, "message": "; ".join(o.differences)}
        for o in results.failed
    ]
    return {
        "rules": len(results.coverage),
        "tests": len(results.outcomes),
        "failed": len(results.failed),
        "errors": errors,
        "coverage": [covered.as_json() for covered in results.coverage],
        "threshold": threshold,
        "below": [covered.rule for covered in results.below(threshold)],
    }


def _show(results: Results, threshold: float | None, *, branches: bool) -> None:
    for error in results.loaded.errors:
        write(str(from_error(error)))
    for outcome in results.failed:
        write(f"{outcome.file}:{outcome.line}: {outcome.rule}: {outcome.test}")
        for difference in outcome.differences:
            write(f"    {difference}")
    below = results.below(threshold)
    for covered in results.coverage if branches else below:
        hit, total, low = covered.covered, covered.total, covered in below
        less, fewer = (f" (below {threshold:g} %)", f"（低于 {threshold:g}%）") if low else ("", "")
        name = covered.rule
        write(words(f"{name}: {hit} of {total} branches{less}", f"{name}：分支 {hit}/{total}{fewer}"))
        for branch in covered.missing:
            write(f"    {branch}")
    total, hit = (sum(getattr(c, name) for c in results.coverage) for name in ("total", "covered"))
    tests, failed, rules = len(results.outcomes), len(results.failed), len(results.coverage)
    write(
        words(
            f"{rules} rules, {tests} tests, {failed} failed; {hit} of {total} branches were gone through"
            f"{'' if branches else ' (--coverage lists the others)'}",
            f"{rules} 条规则，{tests} 个测试，{failed} 个失败；分支覆盖 {hit}/{total}"
            f"{'' if branches else '（--coverage 列出未覆盖的分支）'}",
        )
    )
