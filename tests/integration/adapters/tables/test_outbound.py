"""Writing into open tables of PostgreSQL and MariaDB: by the key, each column as it is, with a status."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from adapters.tables import outbound
from adapters.tables.databases import database_url
from adapters.tables.outbound import TablesTransport
from adapters.tables.target import Target
from adapters.tables.upsert import Write, insert, update, writer
from bus.delivery.transport import Answer, NotSentError, Outgoing, SentForm, UnsendableError, Verdict
from bus.rules.destinations import TablesDestination
from bus.rules.sending.tables import Status
from bus.rules.spec import Form
from tests.conftest import replace_path

COLUMNS: dict[str, Any] = {
    "result_no": {"path": "item.code", "needed": True},
    "report_no": "^.number",
    "patient_no": "^.^.change.patient.number",
    "name": "^.^.change.patient.name",
    "born": "^.^.change.patient.birth_date",
    "value": "value",
    "number": "number",
    "observed": "observed_at",
    "campus": {"const": "惠亚"},
}
TABLE = (
    "CREATE TABLE lab (result_no varchar(20) NOT NULL, report_no varchar(20) NOT NULL,"
    " patient_no varchar(20), name varchar(10), born date, value varchar(20),"
    " number decimal(9,3), observed timestamp NULL,"
    " campus varchar(9), done integer NOT NULL, PRIMARY KEY (report_no, result_no))"
)


class Database:
    """Another system's, with one table."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._engine = sa.create_engine(database_url(url), poolclass=sa.NullPool)

    def run(self, statement: str) -> None:
        """Run one statement and commit."""
        with self._engine.begin() as connection:
            connection.exec_driver_sql(statement)

    def rows(self, what: str = "*") -> list[tuple[Any, ...]]:
        """Return what is in the table."""
        with self._engine.connect() as connection:
            found = connection.exec_driver_sql(f"SELECT {what} FROM lab ORDER BY report_no, result_no")  # noqa: S608 - ours
            return [tuple(row) for row in found]


@pytest.fixture(params=["postgres_url", "mariadb_url"])
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    server = request.getfixturevalue(request.param)
    name = f"lab_{uuid.uuid4().hex[:12]}"
    admin = sa.create_engine(database_url(server), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
        made = Database(replace_path(server, name))
        made.run(TABLE)
        yield made
        connection.exec_driver_sql(f"DROP DATABASE {name}")


def spec(**more: Any) -> TablesDestination:
    values: dict[str, Any] = {
        "name": "lab",
        "description": "of the test",
        "facility": "HY",
        "kind": "tables",
        "database": "lab",
        "table": "lab",
        "key": ["report_no", "result_no"],
        "each": ["change.reports", "results"],
        "columns": COLUMNS,
        "status": {"column": "done", "new": 0},
        "timeout_seconds": 2.0,
        **more,
    }
    return TablesDestination.model_validate(values)


def report(*values: str, name: str = "欧阳珅", codes: str = "AB") -> Outgoing:
    results = [
        {"item": {"code": code}, "value": value, "number": value, "observed_at": "2026-11-20T01:00:00Z"}
        for code, value in zip(codes, values, strict=False)
    ]
    change = {
        "patient": {"number": "P1", "name": name, "birth_date": "1980-01-01"},
        "reports": [{"number": "R1", "results": results}],
    }
    body = json.dumps({"source": {}, "change": change}).encode()
    return Outgoing(1, 1, 1, "ORU^R01", "gb18030", Form.CANONICAL, body, datetime.now(UTC))


@pytest.fixture
async def way(database: Database) -> AsyncIterator[TablesTransport]:
    made = TablesTransport(spec(), database.url)
    yield made
    await made.close()


async def nothing(_form: SentForm) -> None:
    """Nobody is told."""


async def send(way: TablesTransport, message: Outgoing) -> Answer:
    return await way.send(message, nothing)


async def test_a_report_is_a_row_for_each_result_and_each_column_has_its_type(
    way: TablesTransport, database: Database
) -> None:
    answer = await send(way, report("4.1", "140"))
    assert (answer.verdict, answer.raw) == (Verdict.TAKEN, b"2 rows")
    assert database.rows("result_no, patient_no, name, value, campus, done") == [
        ("A", "P1", "欧阳珅", "4.1", "惠亚", 0),
        ("B", "P1", "欧阳珅", "140", "惠亚", 0),
    ]
    [(born, number, observed), _] = database.rows("born, number, observed")
    assert (str(born), str(number)) == ("1980-01-01", "4.100")
    wall = (
        1 if "mariadb" in database.url else 9
    )  # a timestamp of MariaDB is a moment: shown in the session's zone
    assert observed is not None
    assert observed.hour in (wall, 9)


async def test_what_is_the_same_keeps_its_status_and_what_changed_is_new_again(
    way: TablesTransport, database: Database
) -> None:
    await send(way, report("4.1", "140", name="a"))
    database.run("UPDATE lab SET done = 1")
    await send(way, report("4.1", "140", name="a"))
    assert database.rows("result_no, done") == [("A", 1), ("B", 1)]
    await send(way, report("4.1", "141", name="a"))
    assert database.rows("result_no, value, done") == [("A", "4.1", 1), ("B", "141", 0)]
    await send(way, report("4.1", "141", name="A"))  # which most collations take for a
    assert database.rows("name, done") == [("A", 0), ("A", 0)]


async def test_all_rows_of_a_message_are_written_or_none(way: TablesTransport, database: Database) -> None:
    database.run("ALTER TABLE lab ADD CONSTRAINT few CHECK (result_no <> 'B')")
    answer = await send(way, report("4.1", "140"))
    assert answer.verdict is Verdict.NEVER
    assert database.rows() == []


async def test_text_that_is_too_long_is_parked_and_not_cut(way: TablesTransport, database: Database) -> None:
    with pytest.raises(UnsendableError, match="column name takes 10 characters"):
        await send(way, report("4.1", name="欧" * 11))
    assert database.rows() == []


async def test_two_parts_of_one_key_are_not_written_over_each_other(way: TablesTransport) -> None:
    with pytest.raises(UnsendableError, match="two parts of the message have one key"):
        await send(way, report("4.1", "4.2", codes="AA"))


async def test_a_message_without_a_part_writes_nothing(way: TablesTransport, database: Database) -> None:
    assert (await send(way, report())).code == "no_rows"
    assert database.rows() == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"table": "labs"}, "there is no table labs"),
        ({"columns": {**COLUMNS, "weight": "x"}}, "there is no column weight; there are result_no"),
        (
            {"columns": {**COLUMNS, "born": {"path": "b", "as": "decimal"}}},
            "column born is DATE.*write as: date",
        ),
        ({"columns": {**COLUMNS, "born": {"const": "x"}}}, "column born is DATE"),
        ({"key": ["report_no"]}, "has no unique key of .report_no."),
        ({"status": None}, "column done needs a value, and the file gives none"),
        ({"status": {"column": "state"}}, "there is no status column state"),
    ],
)
async def test_a_table_that_is_not_as_the_file_says_is_named_at_the_start(
    database: Database, changed: dict[str, Any], said: str
) -> None:
    way = TablesTransport(spec(**changed), database.url)
    with pytest.raises(NotSentError, match=said) as raised:
        await way.check()
    assert raised.value.code == "table_shape"
    with pytest.raises(NotSentError, match=said):
        await send(way, report("4.1"))
    await way.close()


async def test_a_table_that_is_mended_is_looked_at_again(database: Database) -> None:
    way = TablesTransport(spec(columns={**COLUMNS, "weight": {"const": 1}}), database.url)
    with pytest.raises(NotSentError):
        await way.check()
    database.run("ALTER TABLE lab ADD COLUMN weight integer")
    assert (await send(way, report("4.1"))).verdict is Verdict.TAKEN
    await way.close()


async def test_a_gbk_table_takes_what_it_can_and_says_what_it_cannot(mariadb_url: str) -> None:
    name = f"lab_{uuid.uuid4().hex[:12]}"
    admin = Database(mariadb_url)
    admin.run(f"CREATE DATABASE {name} DEFAULT CHARSET=gbk")
    database = Database(replace_path(mariadb_url, name))
    database.run(TABLE)
    way = TablesTransport(spec(), database.url)
    assert (await send(way, report("4.1"))).verdict is Verdict.TAKEN
    assert database.rows("name, campus") == [("欧阳珅", "惠亚")]
    answer = await send(way, report("4.1", name="𠮷野"))
    assert (answer.verdict, answer.code) == (Verdict.NEVER, "1366")
    assert database.rows("name") == [("欧阳珅",)]
    await way.close()
    admin.run(f"DROP DATABASE {name}")


async def test_another_unique_key_in_mariadb_is_refused(mariadb_url: str) -> None:
    name = f"lab_{uuid.uuid4().hex[:12]}"
    admin = Database(mariadb_url)
    admin.run(f"CREATE DATABASE {name}")
    database = Database(replace_path(mariadb_url, name))
    database.run(TABLE.replace("PRIMARY KEY", "UNIQUE KEY (value), PRIMARY KEY"))
    way = TablesTransport(spec(), database.url)
    with pytest.raises(NotSentError, match=r"another unique key \(value\)"):
        await way.check()
    await way.close()
    admin.run(f"DROP DATABASE {name}")


async def test_the_two_statements_of_sql_server_and_oracle_do_the_same(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run on databases that are here; only the comparison of texts is each database's own."""

    def two(backend: str, target: Target, status: Status | None, *, again: bool) -> Write:
        def updated(t: Target, s: Status | None, _backend: str, *, again: bool) -> sa.Update:
            return update(t, s, backend, again=again)

        monkeypatch.setattr("adapters.tables.upsert.update", updated)
        assert insert(target, status) is not None
        return writer("mssql", target, status, again=again)

    monkeypatch.setattr(outbound, "writer", two)
    way = TablesTransport(spec(), database.url)
    for values in (("4.1", "140"), ("4.1", "140"), ("4.1", "141")):
        assert (await send(way, report(*values))).verdict is Verdict.TAKEN
        if values[1] == "140":
            database.run("UPDATE lab SET done = 1")
    if "mariadb" not in database.url:  # which assigns from left to right
        assert database.rows("value, done") == [("4.1", 1), ("141", 0)]
    assert database.rows("value") == [("4.1",), ("141",)]
    await way.close()
