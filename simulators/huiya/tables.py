"""Huiya's database: its open tables, and the day's edits made in them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import psycopg
from psycopg import sql

from simulators.huiya.desk import Edit, Phase

SCHEMA = Path(__file__).parent.parent / "huiya_schema.sql"
KEYS = {
    "patient": "patient_no",
    "visit": "visit_no",
    "lab_order": "order_no",
    "lab_result": "result_no",
    "exam_report": "report_no",
    "charge": "charge_no",
}
"""Table to primary key."""


def prepare(url: str) -> None:
    """Create Huiya's open tables where they are missing."""
    with psycopg.connect(url) as connection:
        connection.execute(SCHEMA.read_bytes())
        connection.execute("CREATE SCHEMA IF NOT EXISTS simulator")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS simulator.played"
            " (day date, scale float8, phase smallint, PRIMARY KEY (day, scale, phase))"
        )


def play(url: str, edits: list[Edit], today: date, scale: float, phase: Phase) -> int:
    """Make one phase's edits in one transaction, once for a day and scale; return how many were made now."""
    with psycopg.connect(url) as connection:
        marked = connection.execute(
            "INSERT INTO simulator.played VALUES (%s, %s, %s) ON CONFLICT DO NOTHING", (today, scale, phase)
        )
        if not marked.rowcount:
            return 0
        chosen = [edit for edit in edits if edit.phase == phase]
        for edit in chosen:
            _apply(connection, edit)
        return len(chosen)


def _apply(connection: psycopg.Connection, edit: Edit) -> None:
    table, key = sql.Identifier(edit.table), sql.Identifier(KEYS[edit.table])
    if edit.row is None:
        connection.execute(sql.SQL("DELETE FROM {} WHERE {} = %s").format(table, key), (edit.key,))
        return
    row = {**edit.row, "updated_at": edit.updated_at}
    columns = [sql.Identifier(name) for name in row]
    if edit.phase == 0:
        connection.execute(_upsert(edit.table, tuple(row)), (edit.key, *row.values()))
        return
    changes = sql.SQL(", ").join(sql.SQL("{} = %s").format(name) for name in columns)
    statement = sql.SQL("UPDATE {} SET {} WHERE {} = %s").format(table, changes, key)
    connection.execute(statement, (*row.values(), edit.key))


def _upsert(table: str, columns: tuple[str, ...]) -> sql.Composed:
    """Insert, or change to a newer version: a row's `updated_at` never goes back."""
    names = [sql.Identifier(name) for name in columns]
    return sql.SQL(
        "INSERT INTO {table} ({key}, {columns}) VALUES ({values})"
        " ON CONFLICT ({key}) DO UPDATE SET {changes} WHERE {table}.updated_at < EXCLUDED.updated_at"
    ).format(
        table=sql.Identifier(table),
        key=sql.Identifier(KEYS[table]),
        columns=sql.SQL(", ").join(names),
        values=sql.SQL(", ").join([sql.Placeholder()] * (len(names) + 1)),
        changes=sql.SQL(", ").join(sql.SQL("{0} = EXCLUDED.{0}").format(name) for name in names),
    )
