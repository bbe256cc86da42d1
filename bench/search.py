"""Finding messages in a large store: each filter of `messages list`, beside the same page by primary key.

The store is generated: the real schema, three campuses in the ratio of the consortium, small bodies. Every
statement of a search is explained as well, and one that reads the whole inbox is a fault.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from bench import archive, searching
from bench.engines import database, emptied
from bench.result import MissingError, Result
from bench.searching import Searched
from bus.finding import Filters, State, inbox
from bus.journal import Page, search, select_messages

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
YEAR = timedelta(days=365)
"""From the first message of the store to the last."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options; the defaults are those of docs/benchmarks.md."""
    parser.add_argument("--rows", type=int, default=2_000_000, help="messages in the store")
    parser.add_argument("--bodies", type=int, default=2_000_000, help="the newest messages that have a body")
    parser.add_argument("--searches", type=int, default=40, help="of each kind")
    parser.add_argument("--server", default="", help="URL of a PostgreSQL superuser; empty: one of our own")
    parser.add_argument(
        "--database", default="", help="one on --server that stays; a store begun in it is gone on with"
    )


def kinds(rng: random.Random, rows: int) -> Mapping[str, Filters]:
    """Return one search of each kind, for something that is there."""
    one = rng.randrange(1, rows)
    since = BEGAN + YEAR * rng.random()
    window: dict[str, Any] = {"since": since, "until": since + timedelta(hours=6)}
    return {
        "patient": Filters(patient_number=f"P{rng.randrange(rows // 20)}"),
        "visit": Filters(visit_number=f"V{one // 5}"),
        "control id": Filters(control_id=f"C{one}"),
        "order or report number": Filters(number=f"R{one // 2}"),
        "type": Filters(message_type=rng.choice(("ORU^R01", "SIU^S12"))),
        "campus": Filters(facility=rng.choice(("MAIN", "HP", "HY"))),
        "campus and type, in a window": Filters(facility="HY", message_type="MDM^T02", **window),
        "window": Filters(**window),
        "nothing there": Filters(facility="HY", message_type="ADT^A99"),
        "held": Filters(state=State.HELD),
        "held, of a campus": Filters(state=State.HELD, facility=rng.choice(("MAIN", "HP", "HY"))),
        "waiting": Filters(state=State.WAITING),
        "recorded": Filters(state=State.RECORDED, facility="HP"),
        "discarded": Filters(state=State.DISCARDED),
        "code": Filters(code=rng.choice(("unmapped_code", "no_rule"))),
        "rule": Filters(rule=rng.choice(("hy-adt-a08", "main-oru-r01"))),
        "text of the reason": Filters(text="benchmark"),
    }


@dataclass(slots=True)
class Measured(Searched):
    """What was scanned, too."""

    whole: set[str] = field(default_factory=set)

    def told(self) -> dict[str, Any]:
        """See `Searched`."""
        return {**Searched.told(self), "whole_tables": sorted(self.whole)}


def measure(args: argparse.Namespace) -> Result:
    """Fill a store, search it in every way, and explain each way once."""
    with tempfile.TemporaryDirectory(prefix="yilian-bench-") as folder, ExitStack() as stack:
        Path(folder).chmod(0o755)  # PostgreSQL runs as another user below it
        server, bodies = args.server, min(args.bodies, args.rows)
        if args.database and not server:
            raise MissingError("a database that stays needs a server that stays: give --server, too")
        archive.check_disk(None if server else Path(folder), args.rows, bodies)
        if not server:
            from runtime.services.postgres import ephemeral

            server = stack.enter_context(ephemeral(Path(folder)))
        url = _database(stack, server, args.database)
        archive.fill(url, args.rows, bodies)
        engine = sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg"))
        stack.callback(engine.dispose)
        measured = _measured(engine, args)
        return _result(measured, args, server)


def _database(stack: ExitStack, server: str, name: str) -> str:
    """Return the URL of the database that was named, or of a new one for this run."""
    if not name:
        name = f"search_{os.getpid()}"
        stack.enter_context(emptied(server, name))
        return database(server, name)
    with psycopg.connect(server, autocommit=True) as admin:
        known = admin.execute("SELECT FROM pg_database WHERE datname = %s", [name]).fetchone() is not None
    return urlunsplit(urlsplit(server)._replace(path=f"/{name}")) if known else database(server, name)


def _measured(engine: sa.Engine, args: argparse.Namespace) -> Mapping[str, Measured]:
    rng = random.Random(7)
    measured: dict[str, Measured] = {}
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for turn in range(args.searches):
            for kind, filters in kinds(rng, args.rows).items():
                one = measured.setdefault(kind, Measured())
                if turn == 0:
                    one.whole |= set(_whole(connection, filters))
                began = time.perf_counter()
                found = search(connection, filters, Page(50))
                one.ours.append(time.perf_counter() - began)
                ids = [int(entry.id) for entry in found.entries if not entry.id.startswith("r")]
                began = time.perf_counter()
                _by_key(connection, ids)
                one.control.append(time.perf_counter() - began)
    return measured


def _by_key(connection: sa.Connection, ids: Sequence[int]) -> None:
    wanted = sa.cast(list(ids), ARRAY(sa.BigInteger))
    connection.execute(select_messages().where(inbox.c.id == sa.func.any(wanted))).all()


def _whole(connection: sa.Connection, filters: Filters) -> Iterator[str]:
    """Give the tables that a search reads from end to end."""
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, _context: Any, _many: Any) -> None:
        asked.append((statement, values))

    sa.event.listen(connection, "before_cursor_execute", note)
    search(connection, filters, Page(50))
    sa.event.remove(connection, "before_cursor_execute", note)
    for statement, values in asked:
        for line in connection.exec_driver_sql(f"EXPLAIN {statement}", values).scalars():
            if "Seq Scan on inbox" in line or "Seq Scan on trace" in line:
                yield line.strip()


def _result(measured: Mapping[str, Measured], args: argparse.Namespace, server: str) -> Result:
    conditions = {
        "rows": args.rows,
        "bodies": min(args.bodies, args.rows),
        "searches_of_each_kind": args.searches,
        "page": 50,
        "faults": sum(len(one.whole) for one in measured.values()),
    }
    return searching.result("search", measured, server, conditions)
