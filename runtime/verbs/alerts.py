"""`./yilian alerts`: handed on to `bus.alerts.console`."""

from __future__ import annotations

from runtime.words import words


def summary() -> str:
    """Return what the command does, in one line."""
    return words("list what is wrong with the bus", "列出告警")


def passed_on(argv: list[str]) -> int:
    """Run the command with its own arguments; return its exit code."""
    from bus.alerts.console import alerts_main

    return alerts_main(argv)
