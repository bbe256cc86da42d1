"""`./yilian demo`: handed on to `simulators.demos.console`."""

from __future__ import annotations

from runtime.words import words


def summary() -> str:
    """Return what the command does, in one line."""
    return words("play a whole path, told step by step (demo referral)", "逐步演示完整流程（demo referral）")


def passed_on(argv: list[str]) -> int:
    """Run the command with its own arguments; return its exit code."""
    from simulators.demos.console import demo_main

    return demo_main(argv)
