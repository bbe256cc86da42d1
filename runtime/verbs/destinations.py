"""`./yilian destinations`: handed on to `bus.delivery.console`."""

from __future__ import annotations

from runtime.words import words


def summary() -> str:
    """Return what the command does, in one line."""
    return words(
        "other systems: list, pause, drain; resend or discard what did not reach them, send again what did",
        "对外投递：列出、暂停、恢复、排空；重发或放弃未送达的消息，再次发送已送达的消息",
    )


def passed_on(argv: list[str]) -> int:
    """Run the command with its own arguments; return its exit code."""
    from bus.delivery.console import destinations_main

    return destinations_main(argv)
