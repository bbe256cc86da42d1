"""`./yilian test`: the checks and the tests, layer by layer, as CI runs them."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

from runtime.settings import CHECKOUT
from runtime.words import complain, words

LINT: dict[str, tuple[str, ...]] = {
    "ruff check": ("-m", "ruff", "check", "."),
    "ruff format": ("-m", "ruff", "format", "--check", "."),
    "mypy": ("-m", "mypy", "."),
    "import-linter": ("-c", "from importlinter.cli import lint_imports_command as c; c()"),
}
LAYERS = ("unit", "contract", "integration", "interop", "fault", "e2e")
_SIDE_BY_SIDE = ("-n", "2", "--dist", "loadfile")
"""Two workers, each with servers of its own; a file's tests share what they start, so a file stays whole."""
_ALONE = ("fault", "e2e")
"""What starts the whole consortium, or many processes to kill, has the machine to itself."""


def summary() -> str:
    """Return what the command does, in one line."""
    return words(
        "run the checks and tests (lint, unit, integration, …)", "运行检查与测试（lint、unit、integration…）"
    )


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "layers",
        nargs="*",
        metavar="LAYER",
        type=_layer,
        help=words("only these: ", "仅运行：") + " ".join(("lint", *LAYERS)),
    )


def _layer(name: str) -> str:
    if name not in ("lint", *LAYERS):
        raise argparse.ArgumentTypeError(f"{name}: one of {', '.join(('lint', *LAYERS))}")
    return name


def steps(wanted: list[str]) -> dict[str, tuple[str, ...]]:
    """Return what to run, by name: the checks, then each layer that has tests; all when nothing is named."""
    chosen: dict[str, tuple[str, ...]] = dict(LINT) if not wanted or "lint" in wanted else {}
    for layer in LAYERS:
        if (not wanted or layer in wanted) and has_tests(CHECKOUT / "tests" / layer):
            workers = () if layer in _ALONE else _SIDE_BY_SIDE
            chosen[layer] = ("-m", "pytest", f"tests/{layer}", "-q", *workers)
    return chosen


def has_tests(folder: Path) -> bool:
    """Return whether a layer has any test; an empty one is told, not failed."""
    return any(folder.rglob("test_*.py"))


def run(arguments: argparse.Namespace) -> int:
    """Run each step, go on after a failing one, and return 1 when any failed."""
    failed = []
    for name, words_of_it in steps(arguments.layers).items():
        print(f"\n=== {name}", flush=True)
        began = time.monotonic()
        code = subprocess.run((sys.executable, *words_of_it), cwd=CHECKOUT, check=False).returncode
        told = "passed" if code == 0 else f"failed ({code})"
        print(
            f"=== {name}: {told} in {time.monotonic() - began:.0f} s",
            flush=True,
        )
        if code:
            failed.append(name)
    if failed:
        complain(words(f"failed: {', '.join(failed)}", f"未通过：{'、'.join(failed)}"))
    return 1 if failed else 0
