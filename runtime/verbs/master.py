"""`./yilian master`: handed on to `bus.master_data.console`."""

from __future__ import annotations

from runtime.words import words


def summary() -> str:
    """Return what the command does, in one line."""
    return words("import, list and show master data", "导入、列出、查看主数据")


def passed_on(argv: list[str]) -> int:
    """Run the command with its own arguments; return its exit code."""
    from bus.master_data.console import master_main

    return master_main(argv)
