"""`yilian alerts list`: what is wrong now, or was."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence

import sqlalchemy as sa
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bus.alerts.store import Alert, alerts, untold
from runtime import settings


def alerts_main(argv: Sequence[str]) -> int:
    """Run `alerts …`; returns 0, 1 when the database cannot be asked, 2 for a wrong command line."""
    parser = argparse.ArgumentParser(prog="yilian alerts", description="What is wrong with the bus.")
    parser.add_argument("command", choices=("list",))
    parser.add_argument("--all", action="store_true", help="those that were cleared, too")
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("--json", action="store_true", help="for programs")
    try:
        options = parser.parse_args(argv)
    except SystemExit as end:
        return int(end.code or 0)
    url = sa.make_url(settings.load().database_url or "postgresql://").set(drivername="postgresql+psycopg")
    engine = sa.create_engine(url, connect_args={"connect_timeout": 5})
    try:
        with engine.connect() as connection:
            found = alerts(connection, every=options.all, limit=options.limit)
            failed = untold(connection)
    except sa.exc.OperationalError:
        Console(stderr=True).print("the database cannot be reached: see ./yilian status")
        return 1
    finally:
        engine.dispose()
    if options.json:
        shown = {
            "alerts": [dataclasses.asdict(one) for one in found],
            "untold": [dataclasses.asdict(one) for one in failed],
        }
        print_ = Console(markup=False, highlight=False, soft_wrap=True).print
        print_(json.dumps(shown, ensure_ascii=False, indent=2, default=str))
    else:
        Console().print(_table(found))
        for one in failed:
            told = f"{one.count} not told by {one.channel} yet: {one.last_error} after {one.attempts} tries"
            Console(markup=False, highlight=False, soft_wrap=True).print(told)
    return 0


def _table(found: Sequence[Alert]) -> Table:
    table = Table("id", "raised", "alert", "of", "state", "what", box=None)
    for one in found:
        state = (
            "cleared"
            if one.cleared_at
            else f"taken by {one.acknowledged_by}"
            if one.acknowledged_by
            else "open"
        )
        raised = f"{one.raised_at.astimezone():%Y-%m-%d %H:%M}"
        table.add_row(*map(escape, (str(one.id), raised, one.name, one.subject, state, one.detail)))
    return table
