"""`./yilian rebuild`: handed on to `bus.fulltext.console`."""

from __future__ import annotations

from runtime.words import words


def summary() -> str:
    """Return what the command does, in one line."""
    return words("make an index anew (rebuild documents)", "重建索引（rebuild documents）")


def passed_on(argv: list[str]) -> int:
    """Run the command with its own arguments; return its exit code."""
    from bus.fulltext.console import rebuild_main

    return rebuild_main(argv)
