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
    from adapters.files import settings as files
    from adapters.mocked import MockedDelivery
    from adapters.needed import needed
    from adapters.tables import settings as tables
    from bus.campuses import lint as campuses
    from bus.fhir.systems import Systems
    from bus.ihe import affinity
    from bus.rules import recognition
    from bus.rules.console import rules_main

    checks = (campuses.mistakes, files.mistakes, tables.mistakes, affinity.mistakes, recognition.mistakes)
    known = settings.load()
    lacking = partial(needed, settings=known)
    return rules_main(argv, checks, MockedDelivery(Systems(known)), lacking)
