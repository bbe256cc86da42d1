"""The poller as a process: killed and started again, stopped, and with its source away."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from adapters.tables.client import Source
from adapters.tables.server import Poller
from adapters.tables.settings import Campus
from adapters.tables.store import Store
from adapters.waiting import LONGEST
from runtime.settings import Settings
from tests.conftest import CHECKOUT, replace_path
from tests.integration.adapters.tables.conftest import Hospital

ROWS = 4000


def until(met: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Wait for a condition."""
    end = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < end, what
        threading.Event().wait(0.02)


@contextmanager
def polling(settings: Settings, home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run `python -m adapters.tables`; killed at the end if it still runs."""
    given = {
        "YILIAN_HOME": str(home),
        "YILIAN_DATABASE_URL": settings.database_url,
        "YILIAN_HUIYA_URL": settings.huiya_url,
        "YILIAN_ROUTING_KEY": "key",
    }
    command = [sys.executable, "-m", "adapters.tables"]
    with subprocess.Popen(command, cwd=CHECKOUT, env=os.environ | given, stderr=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def stored(database: psycopg.Connection) -> int:
    """Return how many messages the inbox has."""
    row = database.execute("SELECT count(*) FROM bus.inbox").fetchone()
    assert row is not None
    return int(row[0])


def test_kills_between_pages_lose_nothing_and_double_nothing(
    hospital: Hospital, settings: Settings, database: psycopg.Connection, tmp_path: Path
) -> None:
    hospital.connection.execute(
        "INSERT INTO patient (patient_no, name, updated_at)"
        " SELECT 'P' || n, '欧阳珅', timestamptz '2026-11-20 01:00Z' + n %% 700 * interval '1 s'"
        " FROM generate_series(1, %s) AS n",
        (ROWS,),
    )
    for _ in range(2):
        before = stored(database)
        with polling(settings, tmp_path) as process:
            until(lambda before=before: stored(database) > before, "the poller brings nothing")  # type: ignore[misc]  # bound at once
            process.send_signal(signal.SIGKILL)
    with polling(settings, tmp_path):
        until(lambda: stored(database) >= ROWS, "rows are missing")
    row = database.execute(
        "SELECT count(*), count(DISTINCT patient_number), max(generation) FROM bus.inbox"
    ).fetchone()
    assert row == (ROWS, ROWS, 0)
    assert database.execute("SELECT count(*) FROM bus.work").fetchone() == (ROWS,)


def test_the_process_beats_and_ends_when_it_is_told_to(
    hospital: Hospital, settings: Settings, database: psycopg.Connection, tmp_path: Path
) -> None:
    database.execute("TRUNCATE bus.heartbeat")
    hospital.patient("P1", "01:00:00")
    with polling(settings, tmp_path) as process:
        until(lambda: stored(database) == 1, "the poller brings nothing")

        def told() -> bool:
            beat = database.execute("SELECT detail FROM bus.heartbeat WHERE name = 'tables'").fetchone()
            return beat is not None and beat[0].get("HY", {}).get("campus") == "HY"

        until(told, "no heartbeat tells of the campus", 20)
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=10)
    assert process.returncode == 0
    assert b"stopped" in log
    assert b"P1" not in log


@pytest.fixture
def unreachable(postgres_url: str, huiya_url: str) -> Callable[[bool], None]:
    """Shut Huiya's database, or open it."""
    name = sql.Identifier(huiya_url.rpartition("/")[2])

    def switch(shut: bool) -> None:
        with psycopg.connect(replace_path(postgres_url, "postgres"), autocommit=True) as admin:
            admin.execute(
                sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}").format(name, sql.Literal(not shut))
            )
            if shut:
                admin.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                    (huiya_url.rpartition("/")[2],),
                )

    return switch


def test_a_source_that_is_down_is_waited_for_longer_and_longer(
    hospital: Hospital,
    huiya: Campus,
    huiya_url: str,
    store: Store,
    database: psycopg.Connection,
    unreachable: Callable[[bool], None],
) -> None:
    hospital.patient("P1", "01:00:00")
    with Source(huiya, huiya_url) as source:
        poller = Poller(huiya, source, store, threading.Event(), jitter=lambda: 1.0)
        unreachable(True)
        waits = [poller.attempt() for _ in range(12)]
        assert waits == [min(LONGEST, huiya.interval * 2.0**n) for n in range(1, 13)]
        assert poller.detail()["state"] == "waiting"
        assert poller.detail()["reason"].startswith("HY's database: ")
        assert poller.detail()["failures"] == 12
        unreachable(False)
        assert poller.attempt() == huiya.interval
    assert poller.detail()["state"] == "polling"
    assert stored(database) == 1


def test_a_platform_that_is_down_is_waited_for(
    hospital: Hospital, huiya: Campus, source: Source, settings: Settings, database: psycopg.Connection
) -> None:
    nowhere = settings.model_copy(update={"database_url": replace_path(settings.database_url, "nowhere")})
    with Store(nowhere) as store:
        poller = Poller(huiya, source, store, threading.Event())
        poller.attempt()
    assert poller.detail()["reason"] == "the platform's database: OperationalError"


def test_a_table_that_is_not_as_described_is_named_without_its_rows(
    hospital: Hospital, huiya: Campus, huiya_url: str, store: Store, database: psycopg.Connection
) -> None:
    table = huiya.tables[0].model_copy(update={"key": "number"})
    wrong = huiya.model_copy(update={"tables": (table,)})
    with Source(wrong, huiya_url) as source:
        poller = Poller(wrong, source, store, threading.Event())
        poller.attempt()
    assert poller.detail()["reason"] == "HY's tables are not as described: UndefinedColumn 42703"


def test_the_source_is_read_only(huiya: Campus, huiya_url: str, hospital: Hospital) -> None:
    with Source(huiya, huiya_url) as source, source._reading() as connection:
        assert connection.exec_driver_sql("SHOW transaction_read_only").scalar_one() == "on"
        assert connection.exec_driver_sql("SHOW transaction_isolation").scalar_one() == "read committed"
