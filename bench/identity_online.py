"""`bench identity --online N`: registering and matching one by one, beside N that are there."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import sqlalchemy as sa

from bench.engines import CHECKOUT, database
from bench.identity import conditions_of, patients, say
from bench.result import Result
from consortium.identity import service, store, survivorship
from consortium.identity.matching import blocks
from consortium.identity.matching.blocking import hashed
from consortium.identity.model import SourcePatient, own_person
from consortium.identity.pairs import prepared
from consortium.records.model import Patient, Provenance
from simulators.population.records import Record, population

SEED = 909
_NOW = datetime(2026, 11, 2, tzinfo=UTC)
_TOGETHER = 2_000
_CONTROL = """
INSERT INTO identity.source_patient (id, facility, number, version, message_id, changed_at)
VALUES (nextval('identity.source_patient_id'), 'BENCH', %(number)s, 1, 0, now())
"""

_NEXT = "SELECT setval('identity.source_patient_id', %(last)s)"
_COPY = "COPY identity.block (key, source_patient_id) FROM STDIN"


def measure(args: argparse.Namespace) -> Result:
    """Load, then register; half of the new ones are people who are there, half are nobody yet."""
    with tempfile.TemporaryDirectory(prefix="yilian-bench-") as folder, ExitStack() as stack:
        Path(folder).chmod(0o755)  # PostgreSQL runs as another user below it
        from runtime.services.postgres import ephemeral

        url = database(stack.enter_context(ephemeral(Path(folder))), "identity")
        upgrade = (sys.executable, "-m", "alembic", "-x", f"url={url}", "upgrade", "head")
        subprocess.run(upgrade, cwd=CHECKOUT, check=True, capture_output=True)
        engine = sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg"))
        stack.callback(engine.dispose)
        began = time.monotonic()
        later = _load(engine, args.online, args.new)
        loaded = time.monotonic() - began
        say(f"loaded {args.online:,} source patients in {loaded:.0f} s")
        ours, control = _register(engine, later)
        with engine.connect() as connection:
            conditions = _counts(connection) | {"loaded_seconds": round(loaded)}
    conditions |= (
        {"identities": args.online, "registered": len(ours)} | _spread("ours", ours) | conditions_of()
    )
    figure, bare = _quantile(ours, 0.99), _quantile(control, 0.99)
    return Result(
        "identity", round(figure, 2), "ms p99", round(bare, 2), "inserting a bare row, p99",
        round(bare / figure, 3), conditions | _spread("ours", ours) | _spread("control", control),
    )  # fmt: skip


def _load(engine: sa.Engine, count: int, new: int) -> list[Record]:
    """Load `count` records as they would stand after linking; returns the ones to register."""
    loaded: list[Record] = []
    known: list[Record] = []
    people: set[int] = set()
    every = max(count // new, 1)
    for record in population(SEED, count):
        if len(loaded) == count:
            break
        if record.person in people and len(known) < min(new // 2, len(loaded) // every):
            known.append(record)
            continue
        people.add(record.person)
        loaded.append(record)
    _store(engine, loaded)
    strangers = list(islice(population(SEED + 1, new), new - len(known)))
    return [record for pair in zip(known, strangers, strict=False) for record in pair]


def _store(engine: sa.Engine, records: Sequence[Record]) -> None:
    first: dict[int, Any] = {}
    keys: list[int] = []
    ids: list[int] = []
    with engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
        for start in range(0, len(records), _TOGETHER):
            some = records[start : start + _TOGETHER]
            made = [_numbered(p, start) for p in patients(some)]
            store.insert(connection, made)
            persons = {
                p.id: first.setdefault(r.person, own_person(p.facility, p.number))
                for p, r in zip(made, some, strict=True)
            }
            new = [p for p in made if persons[p.id] == own_person(p.facility, p.number)]
            store.write_persons(connection, [survivorship.golden(persons[p.id], [p], _NOW) for p in new])
            store.write_links(connection, [_move(p, persons[p.id]) for p in made])
            for key, id_ in ((key, p.id) for p in made for key in _keys(p)):
                keys.append(key)
                ids.append(id_)
    order = np.argsort(np.array(keys, np.int64), kind="stable")
    with engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
        connection.exec_driver_sql(_NEXT, {"last": len(records) + 1})
        _copy(connection, ((keys[place], ids[place]) for place in order.tolist()))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")


def _numbered(patient: SourcePatient, start: int) -> SourcePatient:
    return replace(patient, id=start + patient.id + 1)


def _keys(patient: SourcePatient) -> Iterator[int]:
    yield from sorted(hashed(key) for key in blocks(prepared(patient)))


def _move(patient: SourcePatient, person: UUID) -> dict[str, Any]:
    """Return a row of the ledger, by which a link is written."""
    return {
        "source_patient_id": patient.id, "from_person": None, "to_person": person,
        "origin": "automatic", "rule": "own_number", "rule_version": 1, "at": _NOW, "message_id": 0,
    }  # fmt: skip


def _copy(connection: sa.Connection, rows: Iterable[tuple[int, int]]) -> None:
    driver = connection.connection.driver_connection
    if driver is None:
        raise RuntimeError("the connection is closed")
    with driver.cursor() as cursor, cursor.copy(_COPY) as copy:
        for row in rows:
            copy.write_row(row)


def _register(engine: sa.Engine, records: Sequence[Record]) -> tuple[list[float], list[float]]:
    """Register each in a transaction of its own; returns the milliseconds of ours and of the control."""
    ours: list[float] = []
    control: list[float] = []
    for place, record in enumerate(records):
        patient = Patient(
            number=f"N{record.number}", name=record.name, sex=record.sex or "unknown",
            birth_date=record.birth_date, id_card=record.id_card, phone=record.phone, address=record.address,
        )  # fmt: skip
        provenance = Provenance(message_id=place + 1, facility=record.facility, received_at=_NOW)
        began = time.perf_counter()
        with engine.begin() as connection:
            service.register(connection, record.facility, patient, provenance)
        ours.append((time.perf_counter() - began) * 1000)
        began = time.perf_counter()
        with engine.begin() as connection:
            connection.exec_driver_sql(_CONTROL, {"number": f"{place}"})
        control.append((time.perf_counter() - began) * 1000)
    warm = min(100, len(ours) // 10)
    return ours[warm:], control[warm:]


def _counts(connection: sa.Connection) -> dict[str, Any]:
    counted = {
        "blocks": "SELECT count(*) FROM identity.block",
        "linked_to_known": "SELECT count(*) FROM identity.link WHERE rule <> 'own_number'",
        "reviews": "SELECT count(*) FROM identity.review",
        "disk_bytes": "SELECT pg_database_size(current_database())",
    }
    return {name: connection.exec_driver_sql(query).scalar_one() for name, query in counted.items()}


def _quantile(values: Sequence[float], share: float) -> float:
    return statistics.quantiles(values, n=1000, method="inclusive")[round(share * 1000) - 1]


def _spread(name: str, values: Sequence[float]) -> dict[str, float]:
    return {f"{name}_p{round(p * 100)}_ms": round(_quantile(values, p), 2) for p in (0.5, 0.95, 0.99)}
