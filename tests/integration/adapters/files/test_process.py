"""The adapter as a process: killed and started again, stopped, and with its place away."""

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

from bus.rules.versions import service
from runtime.settings import Settings
from tests.conftest import CHECKOUT
from tests.integration.adapters.files.conftest import HEADER, Drop, ids
from tests.integration.bus.clinic import engine_of, rows
from tests.integration.bus.rules.sets import numbered

ROWS = 4000
DESCRIBED = """
facility: NS
sender: LIS
pattern: "*.csv"
message_type: csv:lab
csv: {}
key: [no]
patient: patient
complete: rename
interval: 0.05
page: 20
"""


def until(met: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Wait for a condition."""
    end = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < end, what
        threading.Event().wait(0.02)


@pytest.fixture
def home(settings: Settings, drop: Drop, tmp_path: Path) -> dict[str, str]:
    """The environment of a process that reads one source."""
    described = tmp_path / "rules" / "campuses" / "nansha" / "files"
    described.mkdir(parents=True)
    (described / "ns_lab.yaml").write_text(DESCRIBED, encoding="utf-8")
    return os.environ | {
        "YILIAN_HOME": str(tmp_path / "home"),
        "YILIAN_DATABASE_URL": settings.database_url,
        "YILIAN_ROUTING_KEY": "key",
        "YILIAN_RULES_DIR": str(tmp_path / "rules"),
        "YILIAN_FILE_PLACES__NS_LAB__URL": str(drop.root),
    }


@contextmanager
def polling(home: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run `python -m adapters.files`; killed at the end if it still runs."""
    command = [sys.executable, "-m", "adapters.files"]
    with subprocess.Popen(command, cwd=CHECKOUT, env=home, stderr=subprocess.PIPE) as process:
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
    home: dict[str, str], drop: Drop, database: psycopg.Connection
) -> None:
    drop.put("a.csv", HEADER + "".join(f"{n},P{n},珅\n" for n in range(ROWS)))
    for _ in range(2):
        before = stored(database)
        with polling(home) as process:
            until(lambda before=before: stored(database) > before, "the adapter brings nothing")  # type: ignore[misc]  # bound at once
            process.send_signal(signal.SIGKILL)
    with polling(home):
        until(lambda: drop.tree("archive") == ["a.csv"], "the file is not archived")
    row = database.execute("SELECT count(*), count(DISTINCT patient_number), max(generation) FROM bus.inbox")
    assert row.fetchone() == (ROWS, ROWS, 0)
    assert database.execute("SELECT count(*) FROM bus.work").fetchone() == (ROWS,)
    assert database.execute("SELECT count(*) FROM bus.trace").fetchone() == (ROWS,)


def test_the_process_beats_tells_no_patient_data_and_ends_when_it_is_told_to(
    home: dict[str, str], drop: Drop, database: psycopg.Connection
) -> None:
    drop.rows("欧阳珅.csv", "1,P-SECRET,欧阳珅")
    with polling(home) as process:
        until(lambda: ids(database) == ["1@1"], "the adapter brings nothing")

        def told() -> bool:
            row = database.execute("SELECT detail FROM bus.heartbeat WHERE name = 'files'").fetchone()
            return row is not None and row[0].get("ns_lab", {}).get("files_archived") == 1

        until(told, "no heartbeat tells of the file", 20)
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=10)
    assert process.returncode == 0
    assert b"stopped" in log
    assert b"SECRET" not in log
    assert "珅" not in log.decode()


def test_a_wrong_setting_is_named_at_the_start(home: dict[str, str], database: psycopg.Connection) -> None:
    wrong = home | {"YILIAN_FILE_PLACES__NS_LAB__URL": "sftp://user@example.org/drop"}
    command = [sys.executable, "-m", "adapters.files"]
    done = subprocess.run(command, cwd=CHECKOUT, env=wrong, capture_output=True, timeout=60, check=False)
    assert done.returncode == 1
    assert b"file_places.ns_lab: host_key is empty" in done.stderr


def test_check_says_what_would_be_taken_from_where(home: dict[str, str], drop: Drop) -> None:
    command = [sys.executable, "-m", "adapters.files", "check"]
    done = subprocess.run(command, cwd=CHECKOUT, env=home, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0
    assert done.stdout.decode() == f"ns_lab  NS  *.csv  {drop.root}\n"


def test_the_sources_of_the_deployed_rules_are_taken_and_not_what_the_checkout_says(
    home: dict[str, str], drop: Drop, database_url: str
) -> None:
    path = "campuses/nansha/files/ns_lab.yaml"
    engine = engine_of(database_url)

    def described(sender: str) -> str:
        return DESCRIBED.replace("sender: LIS", f"sender: {sender}")

    def senders() -> list[str]:
        return [sender for (sender,) in rows(database_url, "SELECT sender FROM bus.inbox ORDER BY id")]

    def archived(count: int | None) -> bool:
        found = rows(database_url, "SELECT detail -> 'ns_lab' FROM bus.heartbeat WHERE name = 'files'")
        return bool(found and found[0][0]) and found[0][0].get("files_archived") == count

    service.deploy(engine, numbered(1), "chen")
    with polling(home | {"YILIAN_DATABASE_URL": database_url}) as process:
        drop.rows("a.csv", "1,P1,珅")
        service.deploy(engine, numbered(1) | {path: described("ONE").encode()}, "chen")
        until(lambda: senders() == ["ONE"], "a source deployed while it runs is not taken")
        until(lambda: archived(1), "no heartbeat tells of the file", 20)
        (Path(home["YILIAN_RULES_DIR"]) / path).write_text(described("CHECKOUT"), encoding="utf-8")
        service.deploy(engine, numbered(1) | {path: described("TWO").encode()}, "chen")
        until(lambda: archived(None), "the changed source has no poller of its own", 20)
        drop.rows("b.csv", "2,P2,珅")
        until(lambda: len(senders()) == 2, "the changed source is not taken")
        assert senders() == ["ONE", "TWO"]
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=10)
    assert process.returncode == 0
