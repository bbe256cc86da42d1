"""How the commands write."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from rich.console import Console

from consortium.errors import PermanentError
from runtime import settings


class CommandError(PermanentError):
    """A command cannot do what was asked; the text says why and what to do."""


def write(text: str) -> None:
    """Write a line for people."""
    Console(soft_wrap=True, highlight=False, markup=False).print(text)


def write_json(value: Any) -> None:
    """Write JSON for programs, as it is whatever the terminal."""
    Console(soft_wrap=True, highlight=False, markup=False, emoji=False).print(
        json.dumps(value, ensure_ascii=False, indent=2)
    )


def takes_rules(parser: argparse.ArgumentParser, meaning: str = "folder of the rules") -> None:
    """Give a command the options that most have."""
    parser.add_argument(
        "--rules", type=Path, default=None, help=f"{meaning}; by default the setting rules_dir"
    )
    parser.add_argument("--json", action="store_true", help="for programs")


def rules_dir(options: argparse.Namespace) -> Path:
    """Return the folder of the rules that a command is about."""
    chosen: Path | None = options.rules
    return chosen or settings.load().rules_dir
