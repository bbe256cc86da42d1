"""`yilian rules test`: runs the tests that the rule files carry."""

from __future__ import annotations

import argparse
from typing import Any

from bus.rules.finding import from_error
from bus.rules.loader import load_rules
from bus.rules.ruleset import RuleSet
from bus.rules.trial import run_tests
from bus.rules.verbs.output import rules_dir, takes_rules, write, write_json
from runtime.words import words

HELP = words("run the tests that rule files carry", "运行规则文件自带的测试")


def configure(parser: argparse.ArgumentParser) -> None:
    """Name the options."""
    takes_rules(parser)


def run(options: argparse.Namespace) -> int:
    """Test; returns 1 when a test fails, or the rules do not load."""
    loaded = load_rules(rules_dir(options))
    for error in loaded.errors:
        write(str(from_error(error)))
    if loaded.errors:
        return 1
    outcomes = run_tests(RuleSet(loaded.rules, loaded.tables))
    failed = [o for o in outcomes if o.differences]
    errors: list[dict[str, Any]] = [
        {"file": o.file, "line": o.line, "message": f"{o.rule}: {o.test}: {'; '.join(o.differences)}"}
        for o in failed
    ]
    report = {"rules": len(loaded.rules), "tests": len(outcomes), "failed": len(failed), "errors": errors}
    if options.json:
        write_json(report)
    else:
        for error in errors:
            write(f"{error['file']}:{error['line']}: {error['message']}")
        write(f"{len(loaded.rules)} rules, {len(outcomes)} tests, {len(failed)} failed")
    return 1 if failed else 0
