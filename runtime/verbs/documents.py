"""`./yilian documents`: handed on to `bus.cda.console`."""

from __future__ import annotations

from runtime.words import words


def summary() -> str:
    """Return what the command does, in one line."""
    return words("check and show clinical documents, and their store", "检查、显示共享文档及其存储")


def passed_on(argv: list[str]) -> int:
    """Run the command with its own arguments; return its exit code."""
    from bus.cda.console import documents_main

    return documents_main(argv)
