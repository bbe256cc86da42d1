"""`yilian systems list`: who sends what, and whether they still do."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence

import sqlalchemy as sa

from bus.rules.ruleset import RuleSet
from bus.rules.versions.deciding import deciding
from bus.systems import System, systems
from bus.terminal import show_json, show_table, takes_json, with_database
from runtime import settings
from runtime.tended import patience
from runtime.words import words


def systems_main(argv: Sequence[str]) -> int:
    """Run `systems …`; returns 0, 1 when it cannot be told, 2 for a wrong command line."""
    parser = argparse.ArgumentParser(
        prog="yilian systems", description=words("The campuses' systems.", "各院区的业务系统。")
    )
    parser.add_argument("command", choices=("list",))
    parser.add_argument("--facility", help=words("campus code, such as MAIN", "院区代码，如 MAIN"))
    takes_json(parser)
    try:
        options = parser.parse_args(argv)
    except SystemExit as end:
        return int(end.code or 0)
    return with_database(lambda engine: _list(engine, options))


def _list(engine: sa.Engine, options: argparse.Namespace) -> int:
    known = settings.load()
    with engine.connect() as connection:
        with deciding(connection, known.rules_dir) as folder:
            rules = RuleSet.load(folder)
        found = systems(connection, rules, patience(known), options.facility)
    if options.json:
        return show_json({"systems": [dataclasses.asdict(one) for one in found]})
    columns = words(
        "campus,system,by,types,last seen,today,held,rules,", "院区,系统,接入,类型,最近收到,今日,挂起,规则,"
    )
    return show_table(columns.split(","), [_cells(one) for one in found])


def _cells(one: System) -> tuple[str, ...]:
    last = f"{one.last_seen.astimezone():%Y-%m-%d %H:%M}"
    texts = (one.facility, one.sender, ", ".join(one.endpoints), ", ".join(one.message_types), last)
    counts = (str(one.today), str(one.held_today), ", ".join(one.rules))
    return (*texts, *counts, words("silent", "静默") if one.silent else "")
