"""Short reads of a hospital's database: read only, read committed, no lock, nothing held between two."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, NoSuchTableError, ProgrammingError, SQLAlchemyError
from sqlalchemy.sql import Select

from adapters.tables import statements
from adapters.tables.databases import database_url, engine
from adapters.tables.rows import Columns, Position, Row
from adapters.tables.settings import Campus, Table
from adapters.tables.watermark import CLOCKS, Watermark, watermark
from consortium.errors import PermanentError, RetryableError

STATEMENT_SECONDS = 30


class SourceDownError(RetryableError):
    """The hospital's database is out of reach or did not answer in time."""


class SourceShapeError(PermanentError):
    """A table or column is not there, or may not be read."""


class Source:
    """One campus's database."""

    def __init__(self, campus: Campus, url: str) -> None:
        """Raises PermanentError for a URL that is none."""
        self.campus = campus
        self._engine = engine(database_url(url), seconds=STATEMENT_SECONDS, read_only=True)
        self._watermarks: dict[str, Watermark] = {}

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
            found: datetime = connection.exec_driver_sql(CLOCKS[connection.dialect.name]).scalar_one()
        return found if found.tzinfo else found.replace(tzinfo=UTC)

    def page(self, table: Table, after: Position, until: datetime, limit: int) -> list[Row]:
        """Return the next rows in (watermark, key) order after a position, older than `until`."""
        with self._reading() as connection:
            mark = self._watermark(connection, table)
            found = _columns(connection, statements.page(table, mark, after, until, limit), mark)
            siblings = self._siblings(connection, table, found, mark)
        rows = [self._row(table, columns, siblings) for columns in found]
        if len(rows) == limit and rows[-1].position <= after:
            raise SourceShapeError(
                f"{self.campus.facility}'s {table.name}: {mark.name} and {table.key} give no order that can"
                " be followed; the key must be unique, and no value of the watermark finer than a microsecond"
            )
        return rows

    def missing(self, table: Table, keys: Sequence[str]) -> set[str]:
        """Return those of the keys that have no row."""
        present: set[str] = set()
        with self._reading() as connection:
            for some in statements.chunks(keys):
                found = connection.execute(statements.present(table, some)).scalars()
                present.update(str(key) for key in found)
        return set(keys) - present

    def _watermark(self, connection: Connection, table: Table) -> Watermark:
        """Look the watermark's column up once; a column without its table's description is refused."""
        if table.name not in self._watermarks:
            schema, _, name = table.name.rpartition(".")
            try:
                columns = sa.inspect(connection).get_columns(name, schema or None)
                by_name = {column["name"]: column for column in columns}
                self._watermarks[table.name] = watermark(
                    self.campus.watermark, by_name, self.campus.zone, connection.dialect.name
                )
            except (NoSuchTableError, PermanentError) as error:
                what = "there is no such table" if isinstance(error, NoSuchTableError) else str(error)
                reason = f"{self.campus.facility}'s tables are not as described: {table.name}: {what}"
                raise SourceShapeError(reason) from error
        return self._watermarks[table.name]

    def _siblings(
        self, connection: Connection, table: Table, found: Iterable[Columns], mark: Watermark
    ) -> dict[Any, tuple[Columns, ...]]:
        if table.embed is None:
            return {}
        by = table.embed.by
        groups = sorted({columns[by] for columns in found if columns[by] is not None})
        gathered: dict[Any, list[Columns]] = {}
        for some in statements.chunks(groups):
            for columns in _columns(connection, statements.siblings(table, by, some), mark):
                gathered.setdefault(columns[by], []).append(columns)
        return {group: tuple(rows) for group, rows in gathered.items()}

    def _row(self, table: Table, columns: Columns, siblings: dict[Any, tuple[Columns, ...]]) -> Row:
        group = siblings.get(columns[table.embed.by], (columns,)) if table.embed else ()
        return Row(str(columns[table.key]), columns[self.campus.watermark], columns, group)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection:
                if connection.dialect.name == "oracle":
                    connection.exec_driver_sql("SET TRANSACTION READ ONLY")
                yield connection
        except ProgrammingError as error:
            reason = f"{self.campus.facility}'s tables are not as described: {_what(error)}"
            raise SourceShapeError(reason) from None
        except SQLAlchemyError as error:
            raise SourceDownError(f"{self.campus.facility}'s database: {_what(error)}") from None


def _columns(connection: Connection, statement: Select[Any], mark: Watermark) -> list[Columns]:
    return [
        {**row, mark.name: mark.moment(row[mark.name])} for row in connection.execute(statement).mappings()
    ]


def _what(error: SQLAlchemyError) -> str:
    # A driver's text may quote a row; its type and the SQLSTATE do not.
    original = error.orig if isinstance(error, DBAPIError) else None
    state = getattr(original, "sqlstate", None)
    return type(original or error).__name__ + (f" {state}" if state else "")
