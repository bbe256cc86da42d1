"""`./yilian codes`: handed on to `bus.codes.console`."""

from __future__ import annotations

from runtime.words import words


def summary() -> str:
    """Return what the command does, in one line."""
    return words("list codes that no table knows, and map one", "列出未映射的代码，逐一映射")


def passed_on(argv: list[str]) -> int:
    """Run the command with its own arguments; return its exit code."""
    from bus.codes.console import codes_main

    return codes_main(argv)
