"""`./yilian workflows`: handed on to `activities.console`."""

from __future__ import annotations

from runtime.words import words


def summary() -> str:
    """Return what the command does, in one line."""
    return words("list workflows, their deadlines and what holds them up", "列出工作流、期限及阻塞原因")


def passed_on(argv: list[str]) -> int:
    """Run the command with its own arguments; return its exit code."""
    from activities.console import workflows_main

    return workflows_main(argv)
