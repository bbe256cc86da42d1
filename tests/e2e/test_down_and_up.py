"""`down` leaves no process, and `up` afterwards has lost nothing."""

from __future__ import annotations

import os
from pathlib import Path

import psycopg

from tests.e2e.consortium import Consortium


def ours(home: Path) -> list[str]:
    """Return the command lines of processes that have to do with that home."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            environment = (entry / "environ").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(home) in command or f"YILIAN_HOME={home}\0" in environment:
            found.append(command)
    return found


def count(system: Consortium) -> object:
    """Return how many messages the inbox holds."""
    with psycopg.connect(str(system.environment_settings()["database_url"])) as db:
        return db.execute("SELECT count(*) FROM bus.inbox").fetchone()


def test_down_leaves_nothing_and_up_has_everything(consortium: Consortium) -> None:
    before = count(consortium)
    consortium.must("down")
    assert ours(consortium.home) == []
    consortium.must("up")
    assert count(consortium) == before
    assert consortium.status()["healthy"]
