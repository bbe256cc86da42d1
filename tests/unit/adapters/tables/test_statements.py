"""What each of the four databases is asked, and told: compiled, not run, where there is no server here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mssql, mysql, oracle, postgresql
from sqlalchemy.engine import Dialect

from adapters.tables import statements
from adapters.tables.databases import connect_args, database_url, engine, session
from adapters.tables.rows import Position
from adapters.tables.settings import Table
from adapters.tables.target import Cell, Family, Target
from adapters.tables.upsert import insert, on_conflict, on_duplicate, update
from adapters.tables.watermark import watermark
from bus.rules.sending.tables import Status
from consortium.errors import PermanentError

DIALECTS: Mapping[str, Dialect] = {
    "postgresql": postgresql.dialect(),
    "mysql": mysql.dialect(),
    "mssql": mssql.dialect(),
    "oracle": oracle.dialect(),
}
TYPES: Mapping[str, Any] = {
    "postgresql": sa.DateTime(timezone=True),
    "mysql": mysql.DATETIME(fsp=6),
    "mssql": mssql.DATETIME2(6),
    "oracle": oracle.TIMESTAMP(),
}
TABLE = Table(name="his.patient", key="no", patient="no")
AT = datetime(2026, 11, 20, 1, 0, 0, 123456, tzinfo=UTC)


def compiled(statement: Any, backend: str) -> tuple[str, Mapping[str, Any]]:
    """Return the text on one line, and the values."""
    made = statement.compile(dialect=DIALECTS[backend])
    return " ".join(str(made).split()), made.params


def page(backend: str, key: str = "P1") -> tuple[str, Mapping[str, Any]]:
    columns = {"changed": {"type": TYPES[backend]}}
    mark = watermark("changed", columns, "Asia/Shanghai", backend)
    return compiled(statements.page(TABLE, mark, Position(AT, key), AT, 500), backend)


PAGES = {
    "postgresql": "WHERE changed >= %(param_1)s::TIMESTAMP WITH TIME ZONE AND (changed >"
    " %(param_1)s::TIMESTAMP WITH TIME ZONE OR no > %(no_1)s::VARCHAR)",
    "mysql": "WHERE changed >= %s AND (changed > %s OR no > %s) AND changed < %s"
    " ORDER BY changed, no LIMIT %s",
    "mssql": "SELECT TOP __[POSTCOMPILE_param_1] * FROM his.patient WHERE changed >="
    " CAST(:param_2 AS DATETIME2(6)) AND (changed > CAST(:param_2 AS DATETIME2(6)) OR no > :no_1)",
    "oracle": "WHERE changed >= :param_1 AND (changed > :param_1 OR no > :no_1) AND changed < :param_2"
    " ORDER BY changed, no FETCH FIRST __[POSTCOMPILE_param_3] ROWS ONLY",
}


@pytest.mark.parametrize("backend", PAGES)
def test_a_page_follows_its_place_without_comparing_rows(backend: str) -> None:
    text, _ = page(backend)
    assert PAGES[backend] in text
    assert "his.patient" in text
    assert "FOR UPDATE" not in text
    assert "NOLOCK" not in text  # it would read what is never committed, and miss rows that move


@pytest.mark.parametrize("backend", DIALECTS)
def test_the_first_page_asks_for_no_key(backend: str) -> None:
    """Oracle takes an empty text for none: `no > ''` would be no row at all."""
    text, _ = page(backend, key="")
    assert " OR " not in text


def test_a_bound_is_the_campus_wall_clock_where_the_column_has_no_zone() -> None:
    assert page("mysql")[1]["param_1"] == datetime(2026, 11, 20, 9, 0, 0, 123456)  # noqa: DTZ001 - a wall clock
    assert page("mssql")[1]["param_2"] == "2026-11-20T09:00:00.123456"
    assert page("postgresql")[1]["param_1"] == AT


def test_sql_servers_datetime_gets_no_more_digits_than_it_takes() -> None:
    mark = watermark("changed", {"changed": {"type": sa.DATETIME()}}, "Asia/Shanghai", "mssql")
    text, values = compiled(sa.select(mark.bound(AT)), "mssql")
    assert "CAST(:param_1 AS DATETIME)" in text
    assert values["param_1"] == "2026-11-20T09:00:00.123"


@pytest.mark.parametrize(
    ("backend", "type_", "said"),
    [
        ("mssql", mssql.DATETIME2(), "7 digits"),
        ("mssql", mssql.DATETIMEOFFSET(7), "7 digits"),
        ("oracle", oracle.TIMESTAMP(timezone=True), "SYS_EXTRACT_UTC"),
        ("mysql", sa.String(20), "no time"),
    ],
)
def test_a_watermark_that_could_lose_rows_is_refused(backend: str, type_: Any, said: str) -> None:
    with pytest.raises(PermanentError, match=said):
        watermark("changed", {"changed": {"type": type_}}, "Asia/Shanghai", backend)


def test_a_missing_column_and_a_missing_zone_are_named() -> None:
    with pytest.raises(PermanentError, match="there is no column changed; there are no"):
        watermark("changed", {"no": {}}, None, "mysql")
    with pytest.raises(PermanentError, match="write zone: Asia/Shanghai"):
        watermark("changed", {"changed": {"type": mysql.DATETIME(fsp=6)}}, None, "mysql")


def test_lists_of_keys_are_cut_to_what_every_database_takes() -> None:
    assert [len(some) for some in statements.chunks(list(range(1201)))] == [500, 500, 201]


def target(*columns: sa.Column[Any]) -> Target:
    """Return a table with a key and a name, as it would be read."""
    table = sa.Table("lab", sa.MetaData(), *columns)
    cells = {
        column.name: Cell("x", Family.TEXT, column.type, True, None)
        for column in columns
        if column.name != "status"
    }
    return Target(table, cells, ("no",))


LAB = target(
    sa.Column("no", sa.String(20)), sa.Column("name", sa.String(20)), sa.Column("status", sa.Integer())
)
STATUS = Status(column="status", new=0)


def test_postgresql_writes_over_by_the_key_and_keeps_the_status_of_what_is_the_same() -> None:
    text, _ = compiled(on_conflict(LAB, STATUS), "postgresql")
    assert "ON CONFLICT (no) DO UPDATE SET name = excluded.name, status = CASE WHEN" in text
    assert "lab.name IS NOT DISTINCT FROM excluded.name" in text


def test_mysql_decides_the_status_before_it_changes_what_decides_it() -> None:
    text, _ = compiled(on_duplicate(LAB, STATUS), "mysql")
    change = text.partition("ON DUPLICATE KEY UPDATE ")[2]
    assert change.startswith("status = CASE WHEN (CAST(lab.name AS BINARY) <=> CAST(")
    assert change.rstrip().endswith(("name = VALUES(name)", "name = new.name"))


@pytest.mark.parametrize(
    ("backend", "same"),
    [("mssql", "INTERSECT SELECT"), ("oracle", "DECODE(lab.name")],
)
def test_sql_server_and_oracle_change_the_row_or_make_it(backend: str, same: str) -> None:
    first, _ = compiled(update(LAB, STATUS, backend), backend)
    assert first.startswith("UPDATE lab SET ")
    assert "WHERE lab.no = " in first
    assert same in first
    second, _ = compiled(insert(LAB, STATUS), backend)
    assert second.startswith("INSERT INTO lab (no, name, status) VALUES")
    assert "LOCK" not in first + second


def test_a_table_of_keys_alone_is_written_too() -> None:
    keys = target(sa.Column("no", sa.String(20)))
    assert "ON CONFLICT (no) DO NOTHING" in compiled(on_conflict(keys, None), "postgresql")[0]
    assert "ON DUPLICATE KEY UPDATE no = " in compiled(on_duplicate(keys, None), "mysql")[0]
    assert "UPDATE lab SET no=" in compiled(update(keys, None, "oracle"), "oracle")[0]


@pytest.mark.parametrize(
    ("text", "driver"),
    [
        ("postgresql://u:p@h/d", "postgresql+psycopg"),
        ("mysql://u:p@h/d", "mysql+pymysql"),
        ("mariadb://u:p@h/d", "mariadb+pymysql"),
        ("mssql://u:p@h/d", "mssql+pymssql"),
        ("oracle://u:p@h/?service_name=HIS", "oracle+oracledb"),
    ],
)
def test_every_database_has_a_driver_that_is_installed(text: str, driver: str) -> None:
    url = database_url(text)
    assert url.drivername == driver
    engine(url, seconds=30, read_only=True).dispose()


@pytest.mark.parametrize("wrong", ["no url with secret", "db2://u:secret@h/d"])
def test_a_url_that_is_none_is_named_and_not_quoted(wrong: str) -> None:
    with pytest.raises(PermanentError) as raised:
        database_url(wrong)
    assert "secret" not in str(raised.value)


def test_reading_is_said_to_be_reading_and_waits_for_nobody_long() -> None:
    assert "default_transaction_read_only=on" in str(
        connect_args(database_url("postgresql://h/d"), 30, read_only=True)
    )
    assert "SET SESSION TRANSACTION READ ONLY" in session("mysql", 30, read_only=True)
    assert "SET SESSION max_statement_time = 30" in session("mariadb", 30, read_only=True, mariadb=True)
    assert "SET SESSION max_execution_time = 30000" in session("mysql", 30, read_only=True)
    assert session("mssql", 30, read_only=True) == ("SET LOCK_TIMEOUT 30000", "SET DEADLOCK_PRIORITY LOW")


def test_writing_lets_nothing_be_cut_in_silence() -> None:
    assert any("STRICT_ALL_TABLES" in each for each in session("mysql", 30, read_only=False))
    assert not any("READ ONLY" in each for each in session("mysql", 30, read_only=False))
