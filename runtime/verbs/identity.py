"""`./yilian identity`: handed on to `bus.identity.console`."""

from __future__ import annotations

from runtime.words import words


def summary() -> str:
    """Return what the command does, in one line."""
    return words("who is who: review pairs, decide, undo, figures", "患者主索引：审核、裁定、撤销、统计")


def passed_on(argv: list[str]) -> int:
    """Run the command with its own arguments; return its exit code."""
    from bus.identity.console import identity_main

    return identity_main(argv)
