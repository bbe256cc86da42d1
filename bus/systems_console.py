"""`yilian systems list`: who sends what, and whether they still do."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence

import sqlalchemy as sa
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bus.rules.ruleset import RuleSet
from bus.rules.versions.deciding import deciding
from bus.systems import System, systems
from consortium.errors import PermanentError
from runtime import settings
from runtime.tended import patience


def systems_main(argv: Sequence[str]) -> int:
    """Run `systems …`; returns 0, 1 when it cannot be told, 2 for a wrong command line."""
    parser = argparse.ArgumentParser(prog="yilian systems", description="The campuses' systems.")
    parser.add_argument("command", choices=("list",))
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
        text = json.dumps(
            {"systems": [dataclasses.asdict(s) for s in found]}, ensure_ascii=False, default=str
        )
        Console(markup=False, highlight=False, soft_wrap=True).print(text)
    else:
        Console().print(_table(found))
    return 0


def _table(found: Sequence[System]) -> Table:
    table = Table("campus", "system", "by", "types", "last seen", "today", "held", "rules", "", box=None)
    for one in found:
        last = f"{one.last_seen.astimezone():%Y-%m-%d %H:%M}"
        texts = (one.facility, one.sender, ", ".join(one.endpoints), ", ".join(one.message_types), last)
        counts = (str(one.today), str(one.held_today), ", ".join(one.rules))
        table.add_row(*map(escape, (*texts, *counts)), "silent" if one.silent else "")
    return table
