"""Filling the store of `bench records`: straight into the tables, in a few sessions, with progress.

Indexes are taken away first and built at the end, each in a transaction of its own. What is made and what is
still to be built stands in the database, so the filling may be stopped at any point and goes on there.
"""

from __future__ import annotations

import csv
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psycopg

from bench.archive import scalar, tell
from bench.engines import CHECKOUT
from bench.records.sharing import registered
from consortium.records.tables import TABLES
from simulators.names import GIVEN, SURNAMES

PER_VISIT = 19.5
"""Records of a visit, on average: what the SQL makes."""
PER_PATIENT = 3
"""Visits of a patient, on average."""
BYTES = 430
"""On the disk for one record with indexes, its share of identity and registry, and while it is made."""
CHUNK = 20_000
"""Visits, or patients, made in one transaction."""

_HERE = Path(__file__).parent
_BLOBS = """
INSERT INTO records.blob (sha256, size, coding, content)
SELECT sha256(c), octet_length(c), 'identity', c
  FROM generate_series(0, 999) AS n
 CROSS JOIN LATERAL (SELECT convert_to(pg_temp.content(n), 'UTF8') AS c) AS x
ON CONFLICT DO NOTHING
"""
_SHA1 = """
INSERT INTO documents.content_sha1 (sha256, sha1)
SELECT sha256, substr(sha256, 1, 20) FROM records.blob ON CONFLICT DO NOTHING
"""
_LEDGER = """
CREATE TABLE IF NOT EXISTS public.bench_made (visit bigint PRIMARY KEY, records bigint NOT NULL);
CREATE TABLE IF NOT EXISTS public.bench_patients (first bigint PRIMARY KEY);
CREATE TABLE IF NOT EXISTS public.bench_index (
  name text PRIMARY KEY, parent text, take text NOT NULL, build text NOT NULL, size bigint NOT NULL)
"""
_NOTE = """
INSERT INTO public.bench_index
SELECT i.indexrelid::regclass::text, p.inhparent::regclass::text,
       CASE WHEN c.oid IS NULL THEN format('DROP INDEX IF EXISTS %%s CASCADE', i.indexrelid::regclass)
            ELSE format('ALTER TABLE %%s DROP CONSTRAINT IF EXISTS %%I CASCADE', i.indrelid::regclass,
                        c.conname) END,
       CASE WHEN c.oid IS NULL THEN replace(pg_get_indexdef(i.indexrelid), ' ON ONLY ', ' ON ')
            ELSE format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s', i.indrelid::regclass, c.conname,
                        pg_get_constraintdef(c.oid)) END,
       CASE r.relname WHEN 'result' THEN 3 WHEN 'charge' THEN 2 ELSE 1 END
  FROM pg_index i JOIN pg_class r ON r.oid = i.indrelid
  LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.contype IN ('u', 'p')
  LEFT JOIN pg_inherits p ON p.inhrelid = i.indexrelid
 WHERE i.indrelid IN (
   SELECT t::oid FROM unnest(%(tables)s::regclass[]) AS t)
ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is made."""

    visits: int
    patients: int

    @classmethod
    def of(cls, records: int) -> Sizes:
        """Return the sizes of a store of about so many records."""
        visits = max(100, round(records / PER_VISIT))
        return cls(visits, max(30, visits // PER_PATIENT))


def fill(url: str, records: int, sessions: int) -> None:
    """Fill the migrated database, or go on with filling it."""
    sizes = Sizes.of(records)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_LEDGER)
        if scalar(connection, "SELECT count(*) FROM public.bench_made") * CHUNK < sizes.visits:
            _take_indexes(connection)
            _contents(connection)
    runs = (
        ("patients", sizes.patients, "SELECT first FROM public.bench_patients"),
        ("visits", sizes.visits, "SELECT visit FROM public.bench_made"),
    )
    for what, count, made in runs:
        with psycopg.connect(url, autocommit=True) as connection:
            done = {row[0] for row in connection.execute(made.encode())}
        firsts = [first for first in range(1, count + 1, CHUNK) if first not in done]
        _work(url, what, firsts, sizes, sessions)
    _build(url, sessions)
    with psycopg.connect(url, autocommit=True) as connection:
        if scalar(connection, "SELECT count(*) FROM pg_stats WHERE schemaname = 'records'") == 0:
            tell("counting for the planner")
            connection.execute("VACUUM ANALYZE")
        connection.execute(
            "SELECT setval('identity.source_patient_id', (SELECT max(id) FROM identity.source_patient))"
        )


def made(url: str) -> int:
    """Return how many records were made."""
    with psycopg.connect(url, autocommit=True) as connection:
        return int(scalar(connection, "SELECT sum(records) FROM public.bench_made"))


def _tables() -> list[str]:
    parts = [f'records."{name}{part}"' for name in TABLES for part in ("", *(f"_{n}" for n in range(8)))]
    identity = [f"identity.{name}" for name in ("source_patient", "person", "link", "ledger")]
    shared = [f"documents.{name}" for name in ("entry", "submission_set", "association")]
    return [*parts, "records.business_key", *identity, *shared]


def _take_indexes(connection: psycopg.Connection[Any]) -> None:
    """Note what indexes there are, once, and take them away; parents first, whose parts go with them."""
    with connection.transaction():
        connection.execute(_NOTE.encode(), {"tables": _tables()})
        taken = "SELECT take FROM public.bench_index WHERE parent IS NULL ORDER BY name"
        for (take,) in connection.execute(taken.encode()).fetchall():
            connection.execute(take.encode())


def _contents(connection: psycopg.Connection[Any]) -> None:
    with connection.transaction():
        connection.execute((_HERE / "functions.sql").read_bytes())
        connection.execute(_BLOBS.encode())
        connection.execute(_SHA1.encode())


def _work(url: str, what: str, firsts: Sequence[int], sizes: Sizes, sessions: int) -> None:
    """Make the chunks, a few at a time; the first error, or the end of the process, stops all."""
    if not firsts:
        return
    waiting, lock, stop = list(reversed(firsts)), threading.Lock(), threading.Event()
    say = _progress(what, len(firsts))

    def session() -> None:
        with closing(_session(url)) as connection:
            while not stop.is_set():
                with lock:
                    if not waiting:
                        return
                    first = waiting.pop()
                _chunk(connection, what, first, sizes)
                with lock:
                    say()

    with ThreadPoolExecutor(sessions) as pool:
        working = [pool.submit(session) for _ in range(sessions)]
        try:
            for one in working:
                one.result()
        finally:
            stop.set()


def _session(url: str) -> psycopg.Connection[Any]:
    connection = psycopg.connect(url, autocommit=True)
    connection.execute("SET synchronous_commit = off; SET session_replication_role = replica")
    connection.execute((_HERE / "functions.sql").read_bytes())
    return connection


def _chunk(connection: psycopg.Connection[Any], what: str, first: int, sizes: Sizes) -> None:
    last = min(first + CHUNK - 1, sizes.patients if what == "patients" else sizes.visits)
    given = {"first": first, "last": last, "visits": sizes.visits, "patients": sizes.patients}
    cursor = psycopg.ClientCursor(connection)
    with connection.transaction():
        for statement in (_HERE / f"{what}.sql").read_text(encoding="utf-8").split(";\n"):
            if statement.strip():
                cursor.execute(statement.encode(), {**_values(), **given})
        if what == "patients":
            cursor.execute("INSERT INTO public.bench_patients VALUES (%s)", [first])


@cache
def _values() -> Mapping[str, Any]:
    surnames = [name for name, share in SURNAMES.items() for _ in range(max(1, share // 20))]
    with (CHECKOUT / "simulators" / "catalogue" / "lab_items.csv").open(encoding="utf-8") as file:
        items = [row for row in csv.DictReader(file) if row["loinc"]]
    return {
        "surnames": surnames,
        "female": list(GIVEN["female"]),
        "male": list(GIVEN["male"]),
        "codes": [row["loinc"] for row in items],
        "items": [row["name"] for row in items],
        "units": [row["unit"] for row in items],
        **{
            name: json.dumps(value) if isinstance(value, dict) else value
            for name, value in registered().items()
        },
    }


def _build(url: str, sessions: int) -> None:
    """Build the indexes of the parts, largest first, a few at a time; then of the parents, which take theirs
    over.
    """
    for of in (
        "parent IS NOT NULL OR NOT EXISTS (SELECT FROM public.bench_index c WHERE c.parent = i.name)",
        "true",
    ):
        with psycopg.connect(url, autocommit=True) as connection:
            listed = f"SELECT name, build FROM public.bench_index i WHERE {of} ORDER BY size DESC, name"  # noqa: S608 - literals
            waiting = list(reversed(connection.execute(listed.encode()).fetchall()))
        if not waiting:
            continue
        tell(f"building {len(waiting)} indexes")
        with ThreadPoolExecutor(sessions) as pool:
            for one in [pool.submit(_build_some, url, waiting) for _ in range(sessions)]:
                one.result()


def _build_some(url: str, waiting: list[tuple[str, str]]) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off; SET maintenance_work_mem = '1GB'")
        while True:
            try:
                name, build = waiting.pop()
            except IndexError:
                return
            began = time.monotonic()
            with connection.transaction():
                connection.execute(build.encode())
                connection.execute("DELETE FROM public.bench_index WHERE name = %s", [name])
            if time.monotonic() - began > 5:
                tell(f"built {name} in {time.monotonic() - began:.0f} s")


def _progress(what: str, chunks: int) -> Callable[[], None]:
    began, done = time.monotonic(), 0

    def say() -> None:
        nonlocal done
        done += 1
        each = (time.monotonic() - began) / done
        if done % 10 == 0 or done == chunks:
            rate, left = CHUNK / each, each * (chunks - done)
            tell(f"{what}: {done} of {chunks} chunks, {rate:,.0f} a second, {left:.0f} s left")

    return say
