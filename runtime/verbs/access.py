"""`./yilian access`: handed on to `bus.access_console`."""

from __future__ import annotations

from runtime.words import words


def summary() -> str:
    """Return what the command does, in one line."""
    return words("give and take permissions by name", "按姓名授予和收回权限")


def passed_on(argv: list[str]) -> int:
    """Run the command with its own arguments; return its exit code."""
    from bus.access_console import access_main

    return access_main(argv)
