"""`./yilian bench`: handed on to `bench.console`."""

from __future__ import annotations

from runtime.words import words


def summary() -> str:
    """Return what the command does, in one line."""
    return words("measure against peers (bench NAME --json)", "性能基准测试，与同类系统对比")


def passed_on(argv: list[str]) -> int:
    """Run the command with its own arguments; return its exit code."""
    from bench.console import bench_main

    return bench_main(argv)
