"""`./yilian rules`: handed on to `bus.rules.console`."""

from __future__ import annotations

from functools import partial

from runtime import settings
from runtime.words import words


def summary() -> str:
    """Return what the command does, in one line."""
    return words("check, test and explain the rule files", "检查、测试、解释规则文件")


def passed_on(argv: list[str]) -> int:
    """Run the command with its own arguments; return its exit code."""
    from adapters.mocked import MockedDelivery
    from adapters.needed import needed
    from adapters.reviewed import checks
    from bus.fhir.systems import Systems
    from bus.rules.console import rules_main

    known = settings.load()
    lacking = partial(needed, settings=known)
    return rules_main(argv, checks(known), MockedDelivery(Systems(known)), lacking)
