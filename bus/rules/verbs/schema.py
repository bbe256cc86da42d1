"""`yilian rules schema`: the JSON Schema of a rule file, for editors."""

from __future__ import annotations

import argparse

from bus.rules.spec import RuleFile
from bus.rules.verbs.output import write_json
from runtime.words import words

HELP = words("print the JSON Schema of a rule file, for editors", "输出规则文件的 JSON Schema，供编辑器使用")


def configure(parser: argparse.ArgumentParser) -> None:
    """Name the options: there are none."""


def run(options: argparse.Namespace) -> int:  # noqa: ARG001 - the shape of every command
    """Print the schema."""
    write_json(RuleFile.model_json_schema())
    return 0
