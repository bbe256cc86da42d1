"""Huiya's database as its hospital has it, and the platform's, both on a real PostgreSQL."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from adapters.tables.client import Source
from adapters.tables.settings import Campus, campus
from adapters.tables.store import Store
from runtime.settings import CHECKOUT, Settings
from tests.conftest import replace_path

SCHEMA = Path(__file__).parents[4] / "simulators" / "huiya_schema.sql"
KEYS = {"patient": "patient_no", "visit": "visit_no", "lab_result": "result_no", "charge": "charge_no"}


@dataclass(frozen=True)
class Message:
    """One message in the inbox."""

    type: str
    control_id: str
    body: dict[str, Any]

    @property
    def key(self) -> str:
        """The row it is about."""
        return str(self.body["_key"])


class Hospital:
    """Huiya's desk: writes its own tables."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.connection = connection

    def put(self, table: str, at: str, **columns: Any) -> None:
        """Insert a row, or change those columns of it; `at` is its `updated_at`, UTC of one day."""
        row = columns | {"updated_at": datetime.fromisoformat(f"2026-11-20T{at}+00:00")}
        key = KEYS[table]
        self.connection.execute(
            sql.SQL("INSERT INTO {} ({}) VALUES ({}) ON CONFLICT ({}) DO UPDATE SET {}").format(
                sql.Identifier(table),
                sql.SQL(", ").join(map(sql.Identifier, row)),
                sql.SQL(", ").join([sql.Placeholder()] * len(row)),
                sql.Identifier(key),
                sql.SQL(", ").join(
                    sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in row
                ),
            ),
            list(row.values()),
        )

    def patient(self, number: str, at: str, **columns: Any) -> None:
        """Insert or change a patient."""
        self.put("patient", at, patient_no=number, **({"name": "欧阳珅"} | columns))

    def charge(self, number: str, at: str, **columns: Any) -> None:
        """Insert or change a line of a bill."""
        row = {"patient_no": "P1", "visit_no": "V1", "item_code": "1006", "item_name": "电解质"}
        row |= {"quantity": "1", "amount": "48.00"}
        self.put("charge", at, charge_no=number, **(row | columns))

    def result(self, number: str, at: str, **columns: Any) -> None:
        """Insert or change a line of a lab report; the report's number is before the dash."""
        row = {"report_no": number.split("-")[0], "order_no": "O1", "patient_no": "P1", "visit_no": "V1"}
        row |= {"panel_code": "1006", "panel_name": "电解质", "item_code": "10121", "item_name": "钾"}
        row |= {"value": "4.1", "status": "审核"}
        self.put("lab_result", at, result_no=number, **(row | columns))

    def remove(self, table: str, key: str) -> None:
        """Remove a row without a trace."""
        name, column = sql.Identifier(table), sql.Identifier(KEYS[table])
        self.connection.execute(sql.SQL("DELETE FROM {} WHERE {} = %s").format(name, column), (key,))


@pytest.fixture(scope="module")
def huiya_url(postgres_url: str) -> Iterator[str]:
    """URL of Huiya's database."""
    name = f"huiya_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}"'.encode())
        url = replace_path(postgres_url, name)
        with psycopg.connect(url) as connection:
            connection.execute(SCHEMA.read_bytes())
        yield url
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


@pytest.fixture
def hospital(huiya_url: str) -> Iterator[Hospital]:
    """Huiya with empty tables."""
    with psycopg.connect(huiya_url, autocommit=True) as connection:
        connection.execute("TRUNCATE patient, visit, lab_order, lab_result, exam_report, charge")
        yield Hospital(connection)


@pytest.fixture
def settings(module_database_url: str, huiya_url: str) -> Settings:
    """The platform's settings."""
    return Settings(database_url=module_database_url, huiya_url=huiya_url, routing_key="key")


@pytest.fixture
def huiya() -> Campus:
    """Huiya's tables as described, in pages of 3."""
    return campus("HY", CHECKOUT / "rules").model_copy(update={"page": 3, "sweep_page": 3, "interval": 0.05})


@pytest.fixture
def source(huiya: Campus, huiya_url: str) -> Iterator[Source]:
    """What is read."""
    with Source(huiya, huiya_url) as opened:
        yield opened


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    """Where it goes."""
    with Store(settings) as opened:
        yield opened


def arrived(database: psycopg.Connection, type_: str | None = None) -> list[Message]:
    """Return the inbox's messages in their order, of one type or all."""
    rows = database.execute("SELECT message_type, control_id, body FROM bus.message ORDER BY id").fetchall()
    messages = [Message(row[0], row[1], json.loads(row[2])) for row in rows]
    return [message for message in messages if type_ in (None, message.type)]
