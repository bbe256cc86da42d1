"""`yilian rules schema`: the JSON Schemas of rule files and shared files, for editors."""

from __future__ import annotations

import argparse

from bus.rules.schema import FILES, as_text, schema_of
from bus.terminal import show_json, write
from runtime.settings import CHECKOUT
from runtime.words import words

HELP = words("print the JSON Schema of a rule file, for editors", "输出规则文件的 JSON Schema，供编辑器使用")


def configure(parser: argparse.ArgumentParser) -> None:
    """Name the options."""
    parser.add_argument(
        "file",
        nargs="?",
        choices=tuple(FILES),
        default="rule",
        help=words("kind of file; rule by default", "文件种类；默认为 rule"),
    )
    parser.add_argument(
        "--write",
        action="store_true",
        help=words("write both schemas into this repository's rules folder", "写入本仓库的 rules 目录"),
    )


def run(options: argparse.Namespace) -> int:
    """Print one schema, or write both."""
    if not options.write:
        show_json(schema_of(options.file))
        return 0
    for name, file in FILES.items():
        (CHECKOUT / "rules" / file).write_text(as_text(schema_of(name)), encoding="utf-8")
        write(f"rules/{file}")
    return 0
