"""Open tables that the front machine polls: the same poller, whose watermarks are in the spool."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from adapters.gateway.agent import started
from consortium.errors import PermanentError
from tests.gateways import Place
from tests.integration.adapters.gateway.conftest import Rows, until
from tests.integration.adapters.gateway.proxy import proxied

TABLES = """facility: NS
source: his
watermark: changed
interval: 0.05
lag: 0
overlap: 60
page: 2
tables:
  - {name: ns_his.patient, key: patient_no, patient: patient_no, sweep: true}
"""
SCHEMA = """
CREATE SCHEMA ns_his;
CREATE TABLE ns_his.patient (
  patient_no text PRIMARY KEY, name text, changed timestamptz NOT NULL DEFAULT clock_timestamp()
);
"""
PUT = (
    "INSERT INTO ns_his.patient (patient_no, name) VALUES (%s, %s) ON CONFLICT (patient_no) DO UPDATE"
    " SET name = excluded.name, changed = clock_timestamp()"
)


class Hospital:
    """The campus's own database."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection

    def put(self, number: str, name: str) -> None:
        """Insert or change a patient."""
        self._connection.execute(PUT, (number, name))

    def remove(self, number: str) -> None:
        """Delete a patient without a trace."""
        self._connection.execute("DELETE FROM ns_his.patient WHERE patient_no = %s", (number,))


@pytest.fixture
def hospital(place: Place) -> Iterator[Hospital]:
    with psycopg.connect(place.database_url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS ns_his CASCADE")
        connection.execute(SCHEMA)
        yield Hospital(connection)
        connection.execute("DROP SCHEMA ns_his CASCADE")


@pytest.fixture
def tables(place: Place, tmp_path: Path) -> dict[str, Any]:
    """The settings of one database."""
    described = tmp_path / "nansha.yaml"
    described.write_text(TABLES, encoding="utf-8")
    return {"tables": {"his": {"description": described, "url": place.database_url}}}


def found(rows: Rows) -> list[tuple[Any, ...]]:
    """Return the key, name and deletion of each message in the inbox, in its order."""
    query = (
        "SELECT convert_from(body, 'UTF8')::jsonb ->> '_key', convert_from(body, 'UTF8')::jsonb ->> 'name',"
        " (convert_from(body, 'UTF8')::jsonb ->> '_deleted')::bool FROM bus.message ORDER BY id"
    )
    return rows(query)


async def test_rows_are_read_while_the_line_is_down_and_arrive_in_order(
    place: Place, hospital: Hospital, tables: dict[str, Any], rows: Rows
) -> None:
    for number in range(5):
        hospital.put(f"P{number}", "欧阳珅")
    async with proxied(place.hub_port) as line, place.running(to=line.port, **tables) as (_, agent):
        await line.down()
        await until(lambda: agent.level.count == 5)
        hospital.put("P3", "欧阳堃")
        await until(lambda: agent.level.count == 6)
        await line.up()
        await until(lambda: agent.level.count == 0)
        assert agent.doors.detail()["tables his"]["stored"] == 6
    assert found(rows) == [
        *[(f"P{number}", "欧阳珅", False) for number in range(5)],
        ("P3", "欧阳堃", False),
    ]
    where = rows("SELECT DISTINCT facility, sender, protocol, endpoint FROM bus.inbox")
    assert where == [("NS", "ns_his.patient", "tables", "ns-front/his/ns_his.patient")]


async def test_a_restart_goes_on_at_the_watermark_and_brings_nothing_twice(
    place: Place, hospital: Hospital, tables: dict[str, Any], rows: Rows
) -> None:
    for number in range(3):
        hospital.put(f"P{number}", "珅")
    async with started(place.agent(**tables)) as agent:
        await until(lambda: agent.level.count == 3)
    hospital.put("P9", "喆")
    async with place.running(**tables) as (_, agent):
        await until(lambda: len(found(rows)) == 4)
        assert agent.doors.detail()["tables his"]["stored"] == 1
    assert [row[0] for row in found(rows)] == ["P0", "P1", "P2", "P9"]


async def test_a_row_that_vanishes_is_deleted_when_its_message_is_long_gone_from_the_spool(
    place: Place, hospital: Hospital, tables: dict[str, Any], rows: Rows
) -> None:
    hospital.put("P1", "珅")
    hospital.put("P2", "喆")
    short = {"spool": {"folder": place.folder / "spool", "free_mib": 0, "keep_hours": 1e-9}}
    async with place.running(**tables | short) as (_, agent):
        await until(lambda: len(found(rows)) == 2 and agent.level.count == 0)
        hospital.remove("P1")
        await until(lambda: len(found(rows)) == 3)
    assert found(rows)[2] == ("P1", None, True)
    patients = rows("SELECT patient_number FROM bus.inbox ORDER BY id")
    assert patients == [("P1",), ("P2",), ("P1",)]


async def test_a_database_that_is_away_is_said_and_costs_nothing_else(
    place: Place, hospital: Hospital, tables: dict[str, Any], rows: Rows
) -> None:
    del hospital
    away = tables["tables"]["his"] | {"url": "postgresql://his:secret@127.0.0.1:1/his"}
    async with place.running(tables={"his": away}) as (_, agent):
        await until(lambda: agent.doors.detail()["tables his"]["state"] == "waiting")
        told = str(agent.doors.detail()["tables his"])
        assert "NS's database" in told
        assert "secret" not in told
    assert rows("SELECT 1 FROM bus.inbox") == []


async def test_a_campus_that_this_gateway_does_not_speak_for_is_refused(
    place: Place, tables: dict[str, Any]
) -> None:
    with pytest.raises(PermanentError, match="NS is no campus of this gateway"):
        async with started(place.agent(**tables, campuses={"HP": "UNICODE UTF-8"})):
            pass
