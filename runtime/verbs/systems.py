"""`./yilian systems`: handed on to `bus.systems_console`."""

from __future__ import annotations

from runtime.words import words


def summary() -> str:
    """Return what the command does, in one line."""
    return words("list the campuses' systems and whether they send", "列出各院区系统及其状态")


def passed_on(argv: list[str]) -> int:
    """Run the command with its own arguments; return its exit code."""
    from bus.systems_console import systems_main

    return systems_main(argv)
