"""`./yilian token`: handed on to `consortium.access.console`."""

from __future__ import annotations

from runtime.words import words


def summary() -> str:
    """Return what the command does, in one line."""
    return words(
        "print a bearer token for a sample user (--user NAME)", "输出示例用户的访问令牌（--user 名称）"
    )


def passed_on(argv: list[str]) -> int:
    """Run the command with its own arguments; return its exit code."""
    from consortium.access.console import token_main

    return token_main(argv)
