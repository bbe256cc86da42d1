"""Short reads of a hospital's database: read only, read committed, no lock, nothing held between two."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Connection, create_engine, func, select, tuple_
from sqlalchemy import column as named_column
from sqlalchemy import table as named_table
from sqlalchemy.exc import DBAPIError, ProgrammingError, SQLAlchemyError
from sqlalchemy.sql import ColumnElement, Select, TableClause, literal_column

from adapters.tables.rows import Columns, Position, Row
from adapters.tables.settings import Campus, Table
from consortium.errors import PermanentError, RetryableError

STATEMENT_SECONDS = 30


class SourceDownError(RetryableError):
    """The hospital's database is out of reach or did not answer in time."""


class SourceShapeError(PermanentError):
    """A table or column is not there, or may not be read."""


class Source:
    """One campus's database."""

    def __init__(self, campus: Campus, url: str) -> None:
        self.campus = campus
        self._engine = create_engine(
            _with_driver(url),
            pool_size=1,
            max_overflow=0,
            pool_pre_ping=True,
            hide_parameters=True,
            isolation_level="READ COMMITTED",
            connect_args=_connect_args(url),
        )

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._engine.dispose()

    def now(self) -> datetime:
        """Return the database's clock, which stamps the rows."""
        with self._reading() as connection:
            return connection.execute(select(func.current_timestamp())).scalar_one()

    def page(self, table: Table, after: Position, until: datetime, limit: int) -> list[Row]:
        """Return the next rows in (watermark, key) order after a position, older than `until`."""
        at, key = self._order(table)
        statement = (
            _all(table)
            .where(tuple_(at, key) > tuple_(after.at, after.key), at < until)
            .order_by(at, key)
            .limit(limit)
        )
        with self._reading() as connection:
            found = _columns(connection, statement)
            siblings = self._siblings(connection, table, found)
        return [self._row(table, columns, siblings) for columns in found]

    def missing(self, table: Table, keys: Sequence[str]) -> set[str]:
        """Return those of the keys that have no row."""
        key: ColumnElement[Any] = named_column(table.key)
        statement = select(key).select_from(_clause(table)).where(key.in_(keys))
        with self._reading() as connection:
            present = {str(found) for found in connection.execute(statement).scalars()}
        return set(keys) - present

    def _siblings(
        self, connection: Connection, table: Table, found: Iterable[Columns]
    ) -> dict[Any, tuple[Columns, ...]]:
        if table.embed is None:
            return {}
        by = table.embed.by
        groups = sorted({columns[by] for columns in found if columns[by] is not None})
        statement = _all(table).where(named_column(by).in_(groups)).order_by(named_column(table.key))
        gathered: dict[Any, list[Columns]] = {}
        for columns in _columns(connection, statement):
            gathered.setdefault(columns[by], []).append(columns)
        return {group: tuple(rows) for group, rows in gathered.items()}

    def _row(self, table: Table, columns: Columns, siblings: dict[Any, tuple[Columns, ...]]) -> Row:
        group = siblings.get(columns[table.embed.by], (columns,)) if table.embed else ()
        return Row(str(columns[table.key]), columns[self.campus.watermark], columns, group)

    def _order(self, table: Table) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
        return named_column(self.campus.watermark), named_column(table.key)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection:
                yield connection
        except ProgrammingError as error:
            reason = f"{self.campus.facility}'s tables are not as described: {_what(error)}"
            raise SourceShapeError(reason) from None
        except SQLAlchemyError as error:
            raise SourceDownError(f"{self.campus.facility}'s database: {_what(error)}") from None


def _all(table: Table) -> Select[Any]:
    return select(literal_column("*")).select_from(_clause(table))


def _clause(table: Table) -> TableClause:
    schema, _, name = table.name.rpartition(".")
    return named_table(name, schema=schema or None)


def _columns(connection: Connection, statement: Select[Any]) -> list[Columns]:
    return [dict(row) for row in connection.execute(statement).mappings()]


def _what(error: SQLAlchemyError) -> str:
    # A driver's text may quote a row; its type and the SQLSTATE do not.
    original = error.orig if isinstance(error, DBAPIError) else None
    state = getattr(original, "sqlstate", None)
    return type(original or error).__name__ + (f" {state}" if state else "")


def _with_driver(url: str) -> str:
    for scheme in ("postgresql://", "postgres://"):
        if url.startswith(scheme):
            return "postgresql+psycopg://" + url.removeprefix(scheme)
    return url


def _connect_args(url: str) -> dict[str, Any]:
    if not url.startswith(("postgresql", "postgres:")):
        return {}
    timeout = f"-c statement_timeout={STATEMENT_SECONDS}s -c default_transaction_read_only=on"
    return {"connect_timeout": 5, "application_name": "yilian-tables", "options": timeout}
