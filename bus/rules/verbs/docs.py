"""`yilian rules docs`: the reference of the rule language."""

from __future__ import annotations

import argparse

from bus.rules.reference import PAGE, reference
from bus.terminal import write
from runtime.settings import CHECKOUT
from runtime.words import words

HELP = words("print the reference of the rule language", "输出规则语言参考手册")


def configure(parser: argparse.ArgumentParser) -> None:
    """Name the options."""
    parser.add_argument("--write", action="store_true", help=f"write it into this repository's {PAGE}")


def run(options: argparse.Namespace) -> int:
    """Print the page, or write it."""
    if options.write:
        (CHECKOUT / PAGE).write_text(reference(), encoding="utf-8")
        write(PAGE)
    else:
        write(reference())
    return 0
