"""`yilian rules lint|test`: what an integration engineer runs before a rule goes anywhere."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from bus.rules.loader import Loaded, load_rules
from bus.rules.ruleset import RuleSet
from bus.rules.trial import run_tests
from runtime import settings

VERSION_COMMANDS = ("deploy", "rollback", "versions", "status", "diff", "backtest")
"""Handed on to `bus.rules.versions.console`."""


def rules_main(argv: Sequence[str]) -> int:
    """Run `rules …`; returns 0 when all is well, 1 for mistakes, 2 for a wrong command line."""
    if argv and argv[0] in VERSION_COMMANDS:
        from bus.rules.versions.console import versions_main

        return versions_main(argv)
    parser = argparse.ArgumentParser(
        prog="yilian rules",
        description="Check and test the rule files.",
        epilog=f"Versions: {', '.join(VERSION_COMMANDS)}; see ./yilian rules deploy --help",
    )
    parser.add_argument(
        "command", choices=("lint", "test", "schema"), help="schema: JSON Schema of a rule file, for editors"
    )
    parser.add_argument(
        "--rules", type=Path, default=None, help="folder of the rules; by default the setting rules_dir"
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    try:
        options = parser.parse_args(argv)
    except SystemExit as end:
        return int(end.code or 0)
    if options.command == "schema":
        return _schema()
    loaded = load_rules(options.rules or settings.load().rules_dir)
    report, status = _lint(loaded) if options.command == "lint" or loaded.errors else _test(loaded)
    if options.json:
        _write(json.dumps(report, ensure_ascii=False, indent=2))
    else:
        _show(report)
    return status


def _schema() -> int:
    from bus.rules.spec import RuleFile

    _write(json.dumps(RuleFile.model_json_schema(), ensure_ascii=False, indent=2))
    return 0


def _lint(loaded: Loaded) -> tuple[dict[str, Any], int]:
    errors = [{"file": e.file, "line": e.line, "message": e.message} for e in loaded.errors]
    errors += [{"file": f, "line": n, "message": m} for f, n, m in shadowed(loaded)]
    report = {"rules": len(loaded.rules), "tables": len(loaded.tables), "errors": errors}
    return report, 1 if errors else 0


def shadowed(loaded: Loaded) -> list[tuple[str, int, str]]:
    """Return (file, line, message) of rules that can never be reached: the same condition stands earlier."""
    seen: dict[tuple[str, str], str] = {}
    found = []
    for rule in loaded.rules:
        key = (rule.spec.facility, " ".join(rule.match.text.split()))
        if key in seen:
            message = f"never reached: {seen[key]} has the same condition"
            found.append((rule.marked.file, rule.marked.line(("match",)), message))
        seen.setdefault(key, rule.marked.file)
    return found


def _test(loaded: Loaded) -> tuple[dict[str, Any], int]:
    outcomes = run_tests(RuleSet(loaded.rules, loaded.tables))
    failed = [o for o in outcomes if o.differences]
    errors = [
        {"file": o.file, "line": o.line, "message": f"{o.rule}: {o.test}: {'; '.join(o.differences)}"}
        for o in failed
    ]
    report = {"rules": len(loaded.rules), "tests": len(outcomes), "failed": len(failed), "errors": errors}
    return report, 1 if failed else 0


def _show(report: dict[str, Any]) -> None:
    for error in report["errors"]:
        _write(f"{error['file']}:{error['line']}: {error['message']}")
    counts = ", ".join(f"{value} {name}" for name, value in report.items() if name != "errors")
    _write(f"{counts}; {'all is well' if not report['errors'] else 'see above'}")


def _write(text: str) -> None:
    Console(soft_wrap=True, highlight=False, markup=False).print(text)
