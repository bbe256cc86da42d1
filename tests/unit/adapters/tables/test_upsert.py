"""Whether a row is there, of a database that does not compare large columns; none such answers here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from adapters.tables.outbound import _found
from adapters.tables.target import Cell, Target, family_of
from adapters.tables.upsert import finder
from bus.delivery.transport import Found

TABLE = sa.Table(
    "report",
    sa.MetaData(),
    sa.Column("no", sa.String(9)),
    sa.Column("at", sa.String(9)),
    sa.Column("cda", sa.Text),
)


@pytest.fixture
def connection() -> Iterator[sa.Connection]:
    with sa.create_engine("sqlite://").connect() as connection:
        TABLE.create(connection)
        connection.execute(sa.insert(TABLE).values(no="R1", at="09:00", cda="as it was before"))
        yield connection


def target(*columns: str) -> Target:
    cells: dict[str, Cell] = {}
    for name in columns:
        type_ = TABLE.c[name].type
        family = family_of(type_)
        assert family is not None
        cells[name] = Cell("x", family, type_, True, None)
    return Target(TABLE, cells, ("no",))


def row(**values: Any) -> dict[str, Any]:
    return {"no": "R1", "at": "09:00", "cda": "as it is now", **values}


@pytest.mark.parametrize("backend", ["oracle", "mssql"])
def test_a_row_that_may_differ_in_a_large_column_alone_does_not_count_as_there(
    connection: sa.Connection, backend: str
) -> None:
    # Of SQL Server no column of text that has a collation: SQLite does not know it.
    columns = ("no", "at", "cda") if backend == "oracle" else ("no", "cda")
    find = finder(target(*columns), backend)
    assert find(connection, row()) is None
    assert find(connection, row(no="R2")) is False
    assert _found(connection, find, [row()]) is Found.UNTOLD
    assert _found(connection, find, [row(), row(no="R2")]) is Found.NOT_THERE


def test_what_is_compared_wholly_is_there_or_not(connection: sa.Connection) -> None:
    find = finder(target("no", "at"), "oracle")
    assert _found(connection, find, [row()]) is Found.THERE
    assert _found(connection, find, [row(at="10:00")]) is Found.NOT_THERE
    assert _found(connection, find, []) is Found.NOT_THERE
    every = finder(target("no", "at", "cda"), "sqlite")
    assert _found(connection, every, [row()]) is Found.NOT_THERE, "it holds what was there before"
    assert _found(connection, every, [row(cda="as it was before")]) is Found.THERE
