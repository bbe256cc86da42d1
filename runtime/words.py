"""What a person reads at the terminal, in English or, where `LANG` is zh, in Chinese."""

from __future__ import annotations

import os
import sys

from rich.console import Console


def chinese() -> bool:
    """Return whether the person's language is Chinese."""
    chosen = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    return chosen.lower().startswith("zh")


def words(english: str, zh: str) -> str:
    """Return the sentence in the person's language."""
    return zh if chinese() else english


def console(*, stderr: bool = False) -> Console:
    """Return where to write: no colours and no wrapping below 100 columns where it is not a terminal."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, highlight=False, emoji=False, width=None if stream.isatty() else 120)


def complain(text: str) -> None:
    """Tell the person what went wrong."""
    print(f"yilian: {text}", file=sys.stderr, flush=True)
