"""`bench identity --online N`: registering and matching one by one, beside N that are there."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bench import identity_load
from bench.engines import CHECKOUT, database
from bench.identity import conditions_of, say
from bench.result import Result
from consortium.identity import service
from consortium.records.model import Patient, Provenance
from simulators.population.records import Record, population

SEED = 909
_NOW = datetime(2026, 11, 2, tzinfo=UTC)
_CONTROL = """
INSERT INTO identity.source_patient (id, facility, number, version, message_id, changed_at)
VALUES (nextval('identity.source_patient_id'), 'BENCH', %(number)s, 1, 0, now())
"""


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
        back = identity_load.load(url, SEED, args.online, args.new // 2, args.processes)
        loaded = time.monotonic() - began
        say(f"loaded {args.online:,} source patients in {loaded:.0f} s")
        ours, control = register(engine, later(back, args.new))
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


def later(back: Sequence[Record], new: int) -> list[Record]:
    """Return who is registered: in turns one who is known at another campus, and one who is nobody yet."""
    strangers = islice(population(SEED + 1, new), new // 2)
    return [record for pair in zip(back, strangers, strict=False) for record in pair]


def register(engine: sa.Engine, records: Sequence[Record]) -> tuple[list[float], list[float]]:
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
