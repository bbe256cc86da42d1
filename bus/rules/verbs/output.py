"""What the commands have in common."""

from __future__ import annotations

import argparse
from pathlib import Path

from bus.terminal import takes_json
from consortium.errors import PermanentError
from runtime import settings


class CommandError(PermanentError):
    """A command cannot do what was asked; the text says why and what to do."""


def takes_rules(parser: argparse.ArgumentParser, meaning: str = "folder of the rules") -> None:
    """Give a command the options that most have."""
    parser.add_argument(
        "--rules", type=Path, default=None, help=f"{meaning}; by default the setting rules_dir"
    )
    takes_json(parser)


def rules_dir(options: argparse.Namespace) -> Path:
    """Return the folder of the rules that a command is about."""
    chosen: Path | None = options.rules
    return chosen or settings.load().rules_dir
