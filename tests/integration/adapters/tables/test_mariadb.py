"""A hospital whose open tables are in MariaDB: utf8mb4 and GBK, late edits, both kinds of deletion."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from adapters.tables.client import Source, SourceShapeError
from adapters.tables.databases import database_url
from adapters.tables.poll import Counts, follow
from adapters.tables.settings import Campus, Table
from adapters.tables.store import Store
from adapters.tables.sweep import sweep
from runtime.settings import Settings
from tests.conftest import replace_path
from tests.integration.adapters.tables.conftest import arrived

UNTIL = datetime(2026, 11, 21, tzinfo=UTC)
PATIENTS = (
    "CREATE TABLE patient (no varchar(20) PRIMARY KEY, name varchar(20), gone tinyint(1) NOT NULL DEFAULT 0,"
    " born date, seen time, weight decimal(5,2), changed datetime(6) NOT NULL, KEY (changed))"
    " DEFAULT CHARSET={charset}"
)
CHARGES = (
    "CREATE TABLE charge (no varchar(20) PRIMARY KEY, patient varchar(20), amount decimal(10,2),"
    " changed timestamp(6) NOT NULL) DEFAULT CHARSET=utf8mb4"
)
RARE = "𠮷野珅"
"""A name with a character outside the basic plane, which GBK does not have."""


class Desk:
    """The hospital writes its own tables; times are its wall clock."""

    def __init__(self, url: str) -> None:
        self._engine = sa.create_engine(database_url(url), poolclass=sa.NullPool)

    def run(self, statement: str, *values: object) -> None:
        """Run one statement and commit."""
        with self._engine.begin() as connection:
            connection.exec_driver_sql(statement, values)

    def patient(self, number: str, at: str, name: str = "欧阳珅", gone: int = 0, **_: object) -> None:
        """Insert or change a patient."""
        self.run(
            "REPLACE INTO patient VALUES (%s, %s, %s, '1980-01-01', '08:05:00', 61.50, %s)",
            number, name, gone, f"2026-11-20 {at}",
        )  # fmt: skip


@pytest.fixture(params=["utf8mb4", "gbk"])
def charset(request: pytest.FixtureRequest) -> str:
    """Of the patients' table."""
    return str(request.param)


@pytest.fixture
def url(mariadb_url: str, charset: str) -> Iterator[str]:
    """A database of the hospital's own."""
    name = f"his_{uuid.uuid4().hex[:12]}"
    admin = Desk(mariadb_url)
    admin.run(f"CREATE DATABASE {name}")
    made = replace_path(mariadb_url, name)
    desk = Desk(made)
    desk.run(PATIENTS.format(charset=charset))
    desk.run(CHARGES)
    yield made
    admin.run(f"DROP DATABASE {name}")


@pytest.fixture
def desk(url: str) -> Desk:
    return Desk(url)


@pytest.fixture
def campus() -> Campus:
    return Campus(
        facility="HY",
        source="xinhe",
        watermark="changed",
        zone="Asia/Shanghai",
        interval=1,
        lag=0,
        overlap=600,
        page=3,
        sweep_page=3,
        tables=(
            Table(name="patient", key="no", patient="no", deleted="gone"),
            Table(name="charge", key="no", patient="patient", sweep=True),
        ),
    )


@pytest.fixture
def opened(campus: Campus, url: str) -> Iterator[Source]:
    with Source(campus, url) as source:
        yield source


@pytest.fixture
def inbox(module_database_url: str, database: psycopg.Connection) -> Iterator[Store]:
    with Store(Settings(database_url=module_database_url, routing_key="key")) as store:
        yield store


def test_rows_come_once_in_order_with_their_characters_and_times(
    desk: Desk, opened: Source, inbox: Store, campus: Campus, database: psycopg.Connection, charset: str
) -> None:
    for number in range(1, 8):
        desk.patient(f"P{number}", "09:00:00.123456")
    if charset == "utf8mb4":
        desk.patient("P8", "09:05:00", name=RARE)
    table = campus.table("patient")
    rows = 7 + (charset == "utf8mb4")
    assert follow(opened, inbox, table, UNTIL) == Counts(read=rows, stored=rows)
    assert follow(opened, inbox, table, UNTIL) == Counts(read=rows, duplicate=rows)
    found = arrived(database)
    assert [message.key for message in found] == [f"P{number}" for number in range(1, rows + 1)]
    body = found[0].body
    assert (body["name"], body["born"], body["seen"]) == ("欧阳珅", "1980-01-01", "08:05:00")
    assert (body["weight"], body["changed"]) == ("61.50", "2026-11-20T01:00:00.123456Z")
    assert (body["_version"], body["_deleted"]) == (body["changed"], False)
    assert charset == "gbk" or found[-1].body["name"] == RARE


def test_an_edit_that_was_committed_late_is_found_in_the_overlap(
    desk: Desk, opened: Source, inbox: Store, campus: Campus, database: psycopg.Connection
) -> None:
    desk.patient("P1", "09:00:00")
    desk.patient("P2", "09:05:00")
    follow(opened, inbox, campus.table("patient"), UNTIL)
    desk.patient("P1", "09:01:00", name="欧阳坤")
    assert follow(opened, inbox, campus.table("patient"), UNTIL).stored == 1
    assert arrived(database)[-1].body["name"] == "欧阳坤"


def test_what_is_taken_back_and_what_vanishes_are_deletions(
    desk: Desk, opened: Source, inbox: Store, campus: Campus, database: psycopg.Connection
) -> None:
    desk.patient("P1", "09:00:00")
    desk.run(
        "INSERT INTO charge VALUES ('C1', 'P1', 48, '2026-11-20 09:00'), ('C2', 'P1', 5, '2026-11-20 09:01')"
    )
    for table in campus.tables:
        follow(opened, inbox, table, UNTIL)
    desk.patient("P1", "09:10:00", gone=1)
    desk.run("DELETE FROM charge WHERE no = 'C1'")
    follow(opened, inbox, campus.table("patient"), UNTIL)
    assert sweep(opened, inbox, campus.table("charge")) == Counts(stored=1)
    gone = [message for message in arrived(database) if message.body["_deleted"]]
    assert [(message.type, message.key) for message in gone] == [
        ("table:patient", "P1"),
        ("table:charge", "C1"),
    ]


def test_the_session_reads_and_locks_nothing(desk: Desk, opened: Source, campus: Campus) -> None:
    desk.patient("P1", "09:00:00")
    with opened._reading() as connection:
        asked = "SELECT @@tx_isolation, @@tx_read_only, @@time_zone, @@max_statement_time"
        assert connection.exec_driver_sql(asked).one() == ("READ-COMMITTED", 1, "+00:00", 30.0)
        connection.exec_driver_sql("SELECT * FROM patient").all()
        desk.run("SET innodb_lock_wait_timeout = 1")
        desk.patient("P1", "09:01:00", name="欧阳坤")  # while the reader's transaction is open
        with pytest.raises(sa.exc.DBAPIError, match="READ ONLY"):
            connection.exec_driver_sql("DELETE FROM patient")


def test_the_databases_clock_is_utc(opened: Source) -> None:
    assert abs(opened.now() - datetime.now(UTC)) < timedelta(seconds=30)


def test_a_watermark_without_a_zone_is_not_guessed(campus: Campus, url: str, desk: Desk) -> None:
    unsaid = campus.model_copy(update={"zone": None})
    with Source(unsaid, url) as source:
        with pytest.raises(SourceShapeError, match="write zone: Asia/Shanghai"):
            follow(source, Nowhere(), unsaid.table("patient"), UNTIL)
        # A timestamp is a moment, whatever the zone.
        assert follow(source, Nowhere(), unsaid.table("charge"), UNTIL) == Counts()


class Nowhere:
    """An inbox to which nothing comes."""

    def mark(self, poller: str) -> None:
        return None

    def accept(self, arrivals: Any, mark: Any) -> list[Any]:
        raise AssertionError("nothing was to come")
