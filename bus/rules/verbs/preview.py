"""`yilian rules preview MESSAGE --rules DIR`: what other rules would make of a message, field by field."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bus.rules.difference import differences
from bus.rules.ruleset import RuleSet
from bus.rules.verbs.asked import message_of, rules_of, show_of, takes_message
from bus.terminal import show_json, takes_json, write
from runtime.words import words

HELP = words("what other rules would make of a message", "预览另一套规则对某条消息的处理差异")
SIGNS = {"added": "+", "removed": "-", "changed": "~"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Name the options."""
    takes_message(parser)
    parser.add_argument(
        "--rules",
        type=Path,
        required=True,
        metavar="DIR",
        help=words("folder of the changed rules", "修改后的规则目录"),
    )
    parser.add_argument(
        "--present",
        type=Path,
        metavar="DIR",
        help=words(
            "folder of the rules now; by default the deployed set, or for a file the setting rules_dir",
            "现行规则目录；默认为已启用的版本，对文件则为配置项 rules_dir",
        ),
    )
    takes_json(parser)


def run(options: argparse.Namespace) -> int:
    """Compare; returns 0 whether or not something differs. Raises when rules or message cannot be read."""
    with rules_of(options, options.present) as (folder, refresh):
        present, changed = RuleSet.load(folder), RuleSet.load(options.rules)
        for rules in (present, changed):
            refresh(rules.tables)
    message, show = message_of(options), show_of(options)
    found = differences(message.decide(present), message.decide(changed))
    shown = [asdict(one if one.of_nobody else one.shown(show)) for one in found]
    if options.json:
        show_json({"message": message.name, "differences": shown})
        return 0
    for one in shown:
        write(f"{SIGNS[one['what']]} {one['field']}: {_line(one)}")
    count = len(found)
    write(words(f"{count} differences", f"{count} 处不同"))
    return 0


def _line(one: dict[str, Any]) -> str:
    if one["what"] == "added":
        return f"{one['after']}"
    return f"{one['before']}" if one["what"] == "removed" else f"{one['before']} → {one['after']}"
