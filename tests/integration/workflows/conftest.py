"""A real Temporal server with its state in a file, and `python -m activities` beside it."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
import sqlalchemy as sa

from activities.database import engine
from consortium.records.model import Change, Coded, Kind, Patient, Practitioner, Provenance, Report, Result
from consortium.records.service import apply
from runtime import ports, process
from runtime.plan import UnhealthyError
from runtime.services import temporal
from runtime.settings import Settings
from runtime.waiting import until


@pytest.fixture
def settings(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a platform of its own: fresh database, free ports, deadlines of a second and a half."""
    port, ui_port = ports.any_free(), ports.any_free()
    chosen = {
        "HOME": str(tmp_path),
        "DATABASE_URL": database_url,
        "TEMPORAL_ADDRESS": f"127.0.0.1:{port}",
        "TEMPORAL_PORT": str(port),
        "TEMPORAL_UI_PORT": str(ui_port),
        "PAYLOAD_KEY": secrets.token_hex(32),
        "CRITICAL_VALUE_MINUTES": "[0.025, 0.025]",
    }
    for name, value in chosen.items():
        monkeypatch.setenv(f"YILIAN_{name}", value)
    return Settings()


async def holds(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until it holds, a minute at most."""
    async with asyncio.timeout(60):
        while not await condition():  # noqa: ASYNC110 - the condition is another process's state
            await asyncio.sleep(0.1)


def _answers(settings: Settings) -> bool:
    try:
        temporal.check(settings)
    except UnhealthyError:
        return False
    return True


@contextmanager
def temporal_server(settings: Settings, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the server until the block ends; its state stays in the folder."""
    with process.running(temporal.command(settings, folder / "temporal"), folder / "temporal.log") as started:
        assert until(lambda: _answers(settings), 60, interval=0.2), (folder / "temporal.log").read_text()[
            -2000:
        ]
        yield started


@contextmanager
def worker(folder: Path, name: str = "worker") -> Iterator[subprocess.Popen[bytes]]:
    """Run `python -m activities` until the block ends."""
    log = folder / f"{name}.log"
    with log.open("wb") as out:
        started = subprocess.Popen(process.python("activities"), env=dict(os.environ), stderr=out, stdout=out)
    try:
        yield started
    finally:
        if started.poll() is None:
            started.send_signal(signal.SIGTERM)
        assert started.wait(timeout=10) in (0, -signal.SIGKILL), log.read_text()[-3000:]


POTASSIUM = Result(item=Coded(code="K", name="钾"), value="7.1", unit="mmol/L", flag="critical_high")
CORRECTED = POTASSIUM.model_copy(update={"value": "4.1", "flag": "normal", "status": "corrected"})


def critical_potassium(database_url: str, number: str = "R1", name: str = "张珅") -> UUID:
    """Record a report with a critical potassium of a patient of that name; returns the critical value."""
    (key,) = record(database_url, POTASSIUM, number, name)
    return UUID(key.removeprefix("critical:"))


def record(database_url: str, result: Result, number: str = "R1", name: str = "张珅") -> list[str]:
    """Record a report as the router does, effects and outbox in one transaction; returns its events."""
    change = Change(
        kind=Kind.REPORT,
        patient=Patient(number="M1", name=name),
        reports=(
            Report(
                number=number,
                kind="lab",
                item=Coded(code="K-PANEL", name="电解质"),
                status=result.status,
                doctor=Practitioner(number="D17", name="陈医生"),
                results=(result,),
            ),
        ),
    )
    said = int(result.status == "corrected")
    at = datetime(2026, 11, 23, 8 + said, tzinfo=UTC)
    provenance = Provenance(message_id=1 + said, facility="MAIN", received_at=at)
    database = engine(database_url)
    with database.begin() as connection:
        events = apply(connection, change, provenance).events
        for event in events:
            connection.execute(OUTBOX, {"key": event.dedupe_key, "payload": json.dumps(dict(event.payload))})
    database.dispose()
    return [event.dedupe_key for event in events]


OUTBOX = sa.text(
    "INSERT INTO bus.outbox (message_id, destination, dedupe_key, payload)"
    " VALUES (1, 'workflow', :key, CAST(:payload AS jsonb))"
)


class Reader:
    """Reads what people see."""

    def __init__(self, url: str) -> None:
        """Read that database."""
        self._connection = psycopg.connect(url, autocommit=True)

    def close(self) -> None:
        """Let go of it."""
        self._connection.close()

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        return self._connection.execute(query.encode()).fetchall()

    def told(self) -> list[tuple[str, str | None, int]]:
        """Return who was told of the value: duty, recipient, level."""
        return self._connection.execute(
            "SELECT duty, recipient, level FROM workflow.notification"
            " WHERE subject = 'critical_value' ORDER BY id"
        ).fetchall()

    def state(self, id_: UUID) -> tuple[str, str | None]:
        """Return the state and who acknowledged."""
        row = self._connection.execute(
            "SELECT state, acknowledged_by FROM records.critical_value WHERE id = %s", (id_,)
        ).fetchone()
        assert row is not None
        return row

    def outbox(self) -> tuple[bool, int, str | None]:
        """Return whether the event is delivered, after how many attempts, and the last error."""
        row = self._connection.execute(
            "SELECT delivered_at IS NOT NULL, attempts, last_error FROM bus.outbox"
        ).fetchone()
        assert row is not None
        return row


@pytest.fixture
def reader(database_url: str) -> Iterator[Reader]:
    """A look at the platform's database."""
    made = Reader(database_url)
    yield made
    made.close()
