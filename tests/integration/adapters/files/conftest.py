"""A drop folder, the same over SFTP, and the platform's database."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from adapters.files.client import open_place
from adapters.files.codec import Reading
from adapters.files.ledger import Ledger
from adapters.files.place import Place
from adapters.files.server import Poller
from adapters.files.settings import Source
from runtime.settings import FilePlace, Settings
from runtime.waiting import until
from tests.integration.adapters.files.sftp_server import Server, serving
from tests.unit.adapters.files.reading import csv_source

HEADER = "no,patient,name\n"
BEGAN = 1_795_000_000.0
"""When the first file of a test was written, seconds since the epoch."""


class Drop:
    """The sender's side of a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._time = BEGAN

    def put(self, name: str, body: bytes | str) -> Path:
        """Write a file, a second after the last."""
        path = self.root / name
        path.write_bytes(body.encode() if isinstance(body, str) else body)
        self._time += 1
        os.utime(path, (self._time, self._time))
        return path

    def rows(self, name: str, *rows: str) -> Path:
        """Write a CSV file."""
        return self.put(name, HEADER + "".join(f"{row}\n" for row in rows))

    def tree(self, folder: str) -> list[str]:
        """Return the names of the files in a folder, without the day and the mark."""
        found = sorted(path for path in (self.root / folder).rglob("*") if not path.is_dir())
        return [path.name.partition("-")[2] or path.name for path in found]

    @property
    def names(self) -> list[str]:
        """What lies in the folder itself."""
        return sorted(path.name for path in self.root.iterdir() if not path.is_dir() or path.is_symlink())


@dataclass
class Clock:
    """A steady clock that a test moves."""

    now: float = 0.0

    def __call__(self) -> float:
        """Return the seconds."""
        return self.now


@dataclass
class Desk:
    """Everything around one source."""

    drop: Drop
    place: Place
    settings: Settings
    spool: Path
    clock: Clock
    stop: threading.Event

    def poller(self, source: Source | None = None, place: Place | None = None, **more: Any) -> Poller:
        """Return a poller as a process that just started has it."""
        reading = Reading(source or csv_source(settle=10), "utf-8", 10_000)
        ledger = Ledger(self.settings, reading.source)
        return Poller(reading, place or self.place, ledger, self.spool, self.stop, clock=self.clock, **more)

    def run(self, source: Source | None = None, place: Place | None = None) -> list[str]:
        """Look twice, far enough apart, as a process that just started; return what became of each file."""
        assert until(self._left_alone, 20), "the poller before this one did not leave the database"
        poller = self.poller(source, place)
        with closing(poller._ledger):
            done = poller.cycle()
            self.clock.now += 11
            done += poller.cycle()
        return [taken.outcome for taken in done]

    def _left_alone(self) -> bool:
        # A server lets go of a lock a moment after its client has closed the connection.
        query = (
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = %s"
        )
        with psycopg.connect(self.settings.database_url) as connection:
            return connection.execute(query, ("yilian files",)).fetchone() == (0,)


@pytest.fixture
def database(module_database_url: str) -> Iterator[psycopg.Connection]:
    """A connection to look behind the door; the bus is empty."""
    with psycopg.connect(module_database_url, autocommit=True) as connection:
        connection.execute(
            "TRUNCATE bus.inbox, bus.body, bus.work, bus.held, bus.trace, bus.refusal, bus.file,"
            " bus.file_record, bus.heartbeat RESTART IDENTITY"
        )
        yield connection


@pytest.fixture
def settings(module_database_url: str) -> Settings:
    """The platform's settings."""
    return Settings(database_url=module_database_url, routing_key="key")


@pytest.fixture
def drop(tmp_path: Path) -> Drop:
    """An empty drop folder."""
    root = tmp_path / "server" / "drop"
    root.mkdir(parents=True)
    return Drop(root)


@pytest.fixture
def sftp(drop: Drop, tmp_path: Path) -> Iterator[Server]:
    """An SFTP server that shows the drop folder as /drop."""
    with serving(drop.root.parent, tmp_path) as server:
        yield server


@pytest.fixture(params=["folder", "sftp"])
def place(request: pytest.FixtureRequest, drop: Drop) -> Iterator[Place]:
    """The drop folder as the adapter reaches it."""
    told = FilePlace(url=str(drop.root))
    if request.param == "sftp":
        told = request.getfixturevalue("sftp").place()
    with closing(open_place(told)) as opened:
        yield opened


@pytest.fixture
def desk(drop: Drop, place: Place, settings: Settings, tmp_path: Path, database: psycopg.Connection) -> Desk:
    """Everything around one source."""
    spool = tmp_path / "spool"
    spool.mkdir()
    return Desk(drop, place, settings, spool, Clock(), threading.Event())


def ids(database: psycopg.Connection) -> list[str]:
    """Return the control ids of the inbox, in order."""
    return [row[0] for row in database.execute("SELECT control_id FROM bus.inbox ORDER BY id")]


def refusals(database: psycopg.Connection) -> list[tuple[str, str]]:
    """Return (code, peer) of the refusals, in order."""
    return list(database.execute("SELECT code, peer FROM bus.refusal ORDER BY id"))


def ledger(database: psycopg.Connection, name: str) -> tuple[Any, ...]:
    """Return (state, records, stored, repeated, refused, seen, moved) of a file."""
    row = database.execute(
        "SELECT state, records, stored, repeated, refused, seen, moved_at IS NOT NULL"
        " FROM bus.file WHERE name = %s ORDER BY id DESC LIMIT 1",
        (name,),
    ).fetchone()
    assert row is not None
    return row
