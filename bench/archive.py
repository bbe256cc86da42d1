"""Making the store of `bench search`: quickly, with progress; what was begun in a database goes on there.

The indexes are taken away first and built at the end, each in a transaction of its own. What is to be built
is kept in the database, so the making may be stopped at any point.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from bench.engines import CHECKOUT
from bench.result import MissingError

CHUNK = 1_000_000
"""Rows made in one transaction."""
ROW_BYTES, BODY_BYTES = 700, 1500
"""On the disk, with indexes and while it is made, of an index row with its trace and of a body."""

TABLES = ("bus.inbox", "bus.trace", "bus.numbered")
LIST = """
CREATE TABLE IF NOT EXISTS public.bench_index (name text PRIMARY KEY, take text NOT NULL, build text NOT NULL)
"""
BEGIN = """
INSERT INTO public.bench_index
SELECT i.indexrelid::regclass::text,
       CASE WHEN c.oid IS NULL THEN format('DROP INDEX %%s', i.indexrelid::regclass)
            ELSE format('ALTER TABLE %%s DROP CONSTRAINT %%I', i.indrelid::regclass, c.conname) END,
       CASE WHEN c.oid IS NULL THEN pg_get_indexdef(i.indexrelid)
            ELSE format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s', i.indrelid::regclass, c.conname,
                        pg_get_constraintdef(c.oid)) END
  FROM pg_index i LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.contype IN ('u', 'p')
 WHERE i.indrelid = ANY(%s::regclass[]) AND i.indexrelid <> 'bus.inbox_pkey'::regclass
ON CONFLICT DO NOTHING
"""


def need(rows: int, bodies: int) -> int:
    """Return the bytes of disk that a store takes."""
    return rows * ROW_BYTES + bodies * BODY_BYTES


def check_disk(folder: Path | None, rows: int, bodies: int) -> None:
    """Say what the store takes of a disk; None: of somebody else's. Raises MissingError when it does not fit
    with a tenth left.
    """
    what, wanted = f"{rows:,} rows and {bodies:,} bodies", need(rows, bodies)
    if folder is None:
        tell(f"{what} take about {gib(wanted)} of disk")
    else:
        check_free(folder, wanted, what, "--rows")


def check_free(folder: Path, wanted: int, what: str, option: str) -> None:
    """Say what a store takes of a folder's disk. Raises MissingError when it does not fit with a tenth
    left.
    """
    tell(f"{what} take about {gib(wanted)} of disk")
    usage = shutil.disk_usage(folder)
    tell(f"{gib(usage.free)} of {gib(usage.total)} are free at {folder}")
    if wanted > usage.free - usage.total // 10:
        raise MissingError(f"a tenth of the disk of {folder} has to stay free: give fewer {option}")


def fill(url: str, rows: int, bodies: int) -> None:
    """Make the store, or go on with one that was begun with the same numbers."""
    upgrade = (sys.executable, "-m", "alembic", "-x", f"url={url}", "upgrade", "head")
    subprocess.run(upgrade, cwd=CHECKOUT, check=True, capture_output=True)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off; SET maintenance_work_mem = '1GB'")
        done = scalar(connection, "SELECT coalesce(max(id), 0) FROM bus.inbox")
        if done < rows:
            _take_indexes(connection)
            _rows(connection, done, rows, bodies)
        _build_indexes(connection)
        tell("counting for the planner")
        connection.execute("VACUUM ANALYZE")


def _take_indexes(connection: psycopg.Connection[Any]) -> None:
    with connection.transaction():
        connection.execute(LIST)
        connection.execute(BEGIN.encode(), [list(TABLES)])
        for (take,) in connection.execute(
            "SELECT take FROM public.bench_index WHERE to_regclass(name) IS NOT NULL"
        ).fetchall():
            connection.execute(take.encode())


def _rows(connection: psycopg.Connection[Any], done: int, rows: int, bodies: int) -> None:
    statements = (CHECKOUT / "bench" / "archive.sql").read_text(encoding="utf-8").split(";\n")
    say = _progress(done, rows)
    for first in range(done + 1, rows + 1, CHUNK):
        last = min(first + CHUNK - 1, rows)
        with connection.transaction():
            for statement in filter(str.strip, statements):
                values = {"first": first, "last": last, "rows": rows, "bodies": bodies}
                connection.execute(statement.encode(), values)
        say(last)


def _build_indexes(connection: psycopg.Connection[Any]) -> None:
    if scalar(connection, "SELECT to_regclass('public.bench_index') IS NULL"):
        return
    for name, build in connection.execute("SELECT name, build FROM public.bench_index ORDER BY 1").fetchall():
        began = time.monotonic()
        with connection.transaction():
            connection.execute(build.encode())
            connection.execute("DELETE FROM public.bench_index WHERE name = %s", [name])
        tell(f"built {name} in {time.monotonic() - began:.0f} s")


def _progress(done: int, rows: int) -> Callable[[int], None]:
    began = time.monotonic()

    def say(last: int) -> None:
        seconds = time.monotonic() - began
        left = seconds / (last - done) * (rows - last)
        tell(f"{last:,} of {rows:,} rows, {(last - done) / seconds:,.0f} a second, {left:.0f} s left")

    return say


def scalar(connection: psycopg.Connection[Any], query: str) -> Any:
    """Return the first value that a query gives; None: it gives none."""
    row = connection.execute(query.encode()).fetchone()
    return row[0] if row else None


def gib(size: int) -> str:
    """Write a number of bytes for people."""
    return f"{size / 2**30:.1f} GiB"


def tell(text: str) -> None:
    """Say how far the making is."""
    print(text, file=sys.stderr, flush=True)
