"""`yilian rules …`: what an integration engineer runs before a rule goes anywhere."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib import import_module

from bus.rules.delivering import Deliveries
from bus.rules.lint import Check, Needed
from bus.terminal import told
from consortium.errors import YilianError
from runtime.words import complain, words

COMMANDS = ("lint", "test", "explain", "preview", "schema", "docs")
"""Modules of `bus.rules.verbs`."""

VERSION_COMMANDS = ("deploy", "rollback", "versions", "status", "diff", "backtest")
"""Handed on to `bus.rules.versions.console`."""


def rules_main(
    argv: Sequence[str],
    checks: Sequence[Check] = (),
    deliveries: Deliveries | None = None,
    needed: Needed | None = None,
) -> int:
    """Run `rules …`; returns 0 when all is well, 1 for mistakes, 2 for a wrong command line. `checks`: what
    `lint` and `deploy` look at beside the rules; `deliveries`: see `bus.rules.trial.run_tests`; `needed`: the
    settings that a deployed folder lacks here.
    """
    if argv and argv[0] in VERSION_COMMANDS:
        from bus.rules.versions.console import versions_main

        return versions_main(argv, checks, deliveries, needed)
    try:
        options = _parser(checks, deliveries).parse_args(argv)
    except SystemExit as end:
        return int(end.code or 0)
    try:
        return int(options.run(options))
    except YilianError as error:
        complain(told(error))
        return 1


def _parser(checks: Sequence[Check], deliveries: Deliveries | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="yilian rules",
        description=words("Check, test and explain the rule files.", "检查、测试、解释规则文件。"),
        epilog=words(
            f"Versions: {', '.join(VERSION_COMMANDS)}; see ./yilian rules deploy --help",
            f"版本：{'、'.join(VERSION_COMMANDS)}；见 ./yilian rules deploy --help",
        ),
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS:
        module = import_module(f"bus.rules.verbs.{name}")
        one = commands.add_parser(name, help=module.HELP, description=module.HELP)
        module.configure(one)
        one.set_defaults(run=module.run, checks=checks, deliveries=deliveries)
    return parser
