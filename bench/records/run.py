"""`bench records`: everything of a person, searches and FindDocuments over a large store of records.

The store is generated straight into the tables of the real schema; the questions go over HTTP to the API as
it is deployed, with a doctor's token, access decided and every answer audited. The control is the same
patient's rows by bare SQL, in the same run.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg

from bench import archive, engines
from bench.engines import CHECKOUT
from bench.records import filling, measuring, taking_in
from bench.records.measuring import Measured, every, quantile
from bench.records.questions import QUESTIONS
from bench.records.server import Store
from bench.result import Result
from bench.visible import signed_in
from runtime import ports

NAME = "records"
"""Of the database."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options; the defaults are those of docs/benchmarks.md."""
    parser.add_argument("--records", type=int, default=2_000_000, help="in the store")
    parser.add_argument("--store", type=Path, help="folder that stays; what was begun there is gone on with")
    parser.add_argument("--sessions", type=int, default=os.cpu_count() or 1, help="that fill the store")
    parser.add_argument("--people", type=int, default=40, help="of whom each question is asked, warm")
    parser.add_argument("--rounds", type=int, default=20, help="of questions after everything was forgotten")
    parser.add_argument("--seconds", type=float, default=30.0, help="of ingest, alone and beside questions")


def measure(args: argparse.Namespace) -> Result:
    """Fill a store, ask, and tell."""
    with tempfile.TemporaryDirectory(prefix="yilian-bench-") as folder, ExitStack() as stack:
        work = Path(folder)
        work.chmod(0o755)  # PostgreSQL runs as another user below it
        home = args.store or work / "store"
        if not (home / "postgres").exists():
            _check_disk(home, args.records)
        store = Store(home)
        with store.filling():
            _filled(store, args)
        stack.enter_context(store.running())
        origin, settings = stack.enter_context(_api(store, work))
        return _result(store, args, *_measured(store, args, origin, settings))


def _check_disk(folder: Path, records: int) -> None:
    """Raise MissingError where the store does not fit with a tenth of the disk left."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    archive.check_free(there, records * filling.BYTES, f"{records:,} records", "--records")


def _filled(store: Store, args: argparse.Namespace) -> None:
    with psycopg.connect(store.url(), autocommit=True) as admin:
        known = admin.execute("SELECT FROM pg_database WHERE datname = %s", [NAME]).fetchone() is not None
    if not known:
        engines.database(store.url(), NAME)
    upgrade = (sys.executable, "-m", "alembic", "-x", f"url={store.url(NAME)}", "upgrade", "head")
    subprocess.run(upgrade, cwd=CHECKOUT, check=True, capture_output=True)
    filling.fill(store.url(NAME), args.records, args.sessions)


@contextmanager
def _api(store: Store, work: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Run the API as deployed; give its origin and its settings."""
    port = ports.any_free()
    settings = {
        "YILIAN_HOME": str(work),
        "YILIAN_DATABASE_URL": store.url(NAME),
        "YILIAN_ROUTING_KEY": "bench",
        "YILIAN_TOKEN_KEY": uuid.uuid4().hex * 2,
        "YILIAN_API_PORT": str(port),
    }
    with engines.running("api", (sys.executable, "-m", "api"), settings, port, work / "api.log"):
        yield f"http://{ports.LOOPBACK}:{port}", settings


def _measured(
    store: Store, args: argparse.Namespace, origin: str, settings: dict[str, str]
) -> tuple[Measured, dict[str, Any]]:
    """Ask cold, warm, and beside ingest; a token lives a quarter of an hour, so each part has its own."""
    url, seen = store.url(NAME), Measured()
    visits = filling.Sizes.of(args.records).visits
    choose = measuring.chosen
    with signed_in(origin, settings) as client:
        measuring.cold(client, choose(url, visits, args.rounds * len(QUESTIONS), 1), store.forget, seen.cold)
    with signed_in(origin, settings) as client:
        measuring.warm(client, url, choose(url, visits, args.people, 2), seen)
    taking_in.told(taking_in.started(url, _runs(url), args.seconds))  # warms, and is not counted
    alone = taking_in.told(taking_in.started(url, _runs(url), args.seconds))
    with signed_in(origin, settings) as client:
        process = taking_in.started(url, _runs(url), args.seconds)
        people = choose(url, visits, args.people, 3)
        measuring.beside(client, people, lambda: process.poll() is None, seen.beside)
        both = taking_in.told(process)
    rates = {"alone_msg_s": round(alone.rate, 1), "beside_questions_msg_s": round(both.rate, 1)}
    return seen, rates | {"refused": alone.refused + both.refused}


def _runs(url: str) -> int:
    """Return how many runs of ingest the store has seen, and count one more: each has numbers of its own."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE SEQUENCE IF NOT EXISTS public.bench_run")
        return int(archive.scalar(connection, "SELECT nextval('public.bench_run')"))


def _result(store: Store, args: argparse.Namespace, seen: Measured, ingest: dict[str, Any]) -> Result:
    url, sizes = store.url(NAME), filling.Sizes.of(args.records)
    with psycopg.connect(url, autocommit=True) as connection:
        size = int(archive.scalar(connection, f"SELECT pg_database_size('{NAME}')"))
        version = archive.scalar(connection, "SHOW server_version")
    records = filling.made(url)
    ours, control = (1000 * quantile(list(every(each)), 0.95) for each in (seen.warm, seen.control))
    conditions = {
        "records": records,
        "patients": sizes.patients,
        "visits": sizes.visits,
        "disk_gib": round(size / 2**30, 2),
        "bytes_per_record": round(size / records),
        "people": args.people,
        "cpus": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "python": platform.python_version(),
        "postgres": version,
        "ingest": ingest,
        "faults": len(seen.empty) + ingest["refused"],
        "answers_with_nothing": sorted(seen.empty),
        "all": {
            name: measuring.told(list(every(getattr(seen, name))))
            for name in ("cold", "warm", "control", "beside")
        },
        "questions": {
            name: {
                part: measuring.told(getattr(seen, part).get(name, []))
                for part in ("cold", "warm", "control")
            }
            for name in QUESTIONS
        },
    }
    name = "the same patient's rows by bare SQL, p95"
    return Result(NAME, round(ours, 1), "ms", round(control, 2), name, round(control / ours, 3), conditions)
