"""`yilian rules lint`: every mistake by file, line and column, and what to do."""

from __future__ import annotations

import argparse

from bus.rules.finding import Report, Severity
from bus.rules.lint import lint
from bus.rules.verbs.output import rules_dir, takes_rules
from bus.terminal import show_json, write
from runtime.words import words

HELP = words("compile everything; name each mistake by its place", "编译全部规则，逐条指出错误的位置")


def configure(parser: argparse.ArgumentParser) -> None:
    """Name the options."""
    takes_rules(parser)


def run(options: argparse.Namespace) -> int:
    """Lint; returns 1 when there are errors. Warnings do not fail."""
    report = lint(rules_dir(options), options.checks)
    if options.json:
        show_json(report.as_json())
    else:
        _show(report)
    return 0 if report.passed else 1


def _show(report: Report) -> None:
    for found in report.findings:
        write(str(found))
    errors, warnings = len(report.of(Severity.ERROR)), len(report.of(Severity.WARNING))
    write(
        words(
            f"{report.rules} rules, {report.tables} tables: {errors} errors, {warnings} warnings",
            f"{report.rules} 条规则，{report.tables} 张码表：{errors} 个错误，{warnings} 个警告",
        )
    )
