"""`./yilian gateway`: handed on to `adapters.gateway.console`."""

from __future__ import annotations

from runtime.words import words


def summary() -> str:
    """Return what the command does, in one line."""
    return words("the gateway on a campus's front machine", "院区前置机上的网关")


def passed_on(argv: list[str]) -> int:
    """Run the command with its own arguments; return its exit code."""
    from adapters.gateway.console import gateway_main

    return gateway_main(argv)
