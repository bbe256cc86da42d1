"""`yilian systems list`: who sends what, and whether they still do; `gateways`: the front machines."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bus.gateways import Gateway, gateways
from bus.rules.ruleset import RuleSet
from bus.rules.versions.deciding import deciding
from bus.systems import System, systems
from consortium.errors import PermanentError
from runtime import settings
from runtime.tended import patience


def systems_main(argv: Sequence[str]) -> int:
    """Run `systems …`; returns 0, 1 when it cannot be told, 2 for a wrong command line."""
    parser = argparse.ArgumentParser(prog="yilian systems", description="The campuses' systems.")
    parser.add_argument("command", choices=("list", "gateways"))
    parser.add_argument("--facility", help="campus code, such as MAIN")
    parser.add_argument("--json", action="store_true", help="for programs")
    try:
        options = parser.parse_args(argv)
    except SystemExit as end:
        return int(end.code or 0)
    known = settings.load()
    url = sa.make_url(known.database_url or "postgresql://").set(drivername="postgresql+psycopg")
    engine = sa.create_engine(url, connect_args={"connect_timeout": 5})
    try:
        with engine.connect() as connection:
            if options.command == "gateways":
                return _gateways(gateways(connection), options, known.alert_gateway_minutes * 60)
            with deciding(connection, known.rules_dir) as folder:
                rules = RuleSet.load(folder)
            found = systems(connection, rules, patience(known), options.facility)
    except sa.exc.OperationalError:
        Console(stderr=True).print("the database cannot be reached: see ./yilian status")
        return 1
    except PermanentError as error:
        Console(stderr=True, markup=False).print(str(error))
        return 1
    finally:
        engine.dispose()
    if options.json:
        _print_json({"systems": [dataclasses.asdict(s) for s in found]})
    else:
        Console().print(_table(found))
    return 0


def _print_json(value: dict[str, Any]) -> None:
    text = json.dumps(value, ensure_ascii=False, default=str)
    Console(markup=False, highlight=False, soft_wrap=True).print(text)


def _gateways(found: Sequence[Gateway], options: argparse.Namespace, patience: float) -> int:
    """Print the gateways that speak for a campus; 0: every one, too, that is late."""
    shown = [one for one in found if options.facility in {None, *one.campuses}]
    if options.json:
        _print_json({"gateways": [dataclasses.asdict(one) for one in shown]})
        return 0
    table = Table("gateway", "campuses", "last seen", "last message", "spooled", "oldest", "", box=None)
    for one in shown:
        seen = f"{one.last_seen.astimezone():%Y-%m-%d %H:%M:%S}"
        last = f"{one.last_message.astimezone():%Y-%m-%d %H:%M:%S}" if one.last_message else ""
        late = 0 < patience < max(one.silent_seconds, one.oldest_seconds)
        state = one.full or ("silent" if late and one.silent_seconds >= one.oldest_seconds else "late" * late)
        oldest = f"{one.oldest_seconds:.0f} s"
        texts = (one.name, ", ".join(one.campuses), seen, last, str(one.spooled), oldest, state)
        table.add_row(*map(escape, texts))
    Console().print(table)
    return 0


def _table(found: Sequence[System]) -> Table:
    table = Table("campus", "system", "by", "types", "last seen", "today", "held", "rules", "", box=None)
    for one in found:
        last = f"{one.last_seen.astimezone():%Y-%m-%d %H:%M}"
        texts = (one.facility, one.sender, ", ".join(one.endpoints), ", ".join(one.message_types), last)
        counts = (str(one.today), str(one.held_today), ", ".join(one.rules))
        table.add_row(*map(escape, (*texts, *counts)), "silent" if one.silent else "")
    return table
