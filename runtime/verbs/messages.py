"""`./yilian messages`: handed on to `bus.console`."""

from __future__ import annotations

from runtime.words import words


def summary() -> str:
    """Return what the command does, in one line."""
    return words("list, show and replay messages", "列出、查看、重放消息")


def passed_on(argv: list[str]) -> int:
    """Run the command with its own arguments; return its exit code."""
    from bus.console import messages_main

    return messages_main(argv)
