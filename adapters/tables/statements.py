"""What is asked of an open table: short reads that every database of the four understands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import ColumnElement, Select, TableClause

from adapters.tables.rows import Position
from adapters.tables.settings import Table
from adapters.tables.watermark import Watermark

CHUNK = 500
"""Keys asked for at once: Oracle takes a list of 1,000, SQL Server 2,100 values in all."""


def page(table: Table, mark: Watermark, after: Position, until: datetime, limit: int) -> Select[Any]:
    """Return the next rows in (watermark, key) order after a position, older than `until`.

    A keyset page, written out because SQL Server and Oracle compare no rows; `at >= …` stands by itself, so
    that the index on the watermark bounds the search. A position without a key is before all keys: Oracle
    takes an empty text for none, with which nothing compares.
    """
    at: ColumnElement[Any] = sa.column(mark.name)
    key: ColumnElement[Any] = sa.column(table.key)
    bound = mark.bound(after.at)
    later = [sa.or_(at > bound, key > after.key)] if after.key else []
    return whole(table).where(at >= bound, *later, at < mark.bound(until)).order_by(at, key).limit(limit)


def present(table: Table, keys: Sequence[str]) -> Select[Any]:
    """Return the keys that have a row."""
    key: ColumnElement[Any] = sa.column(table.key)
    return sa.select(key).select_from(clause(table)).where(key.in_(keys))


def siblings(table: Table, by: str, groups: Sequence[Any]) -> Select[Any]:
    """Return the rows that travel together."""
    return whole(table).where(sa.column(by).in_(groups)).order_by(sa.column(table.key))


def whole(table: Table) -> Select[Any]:
    """Return every column of a table, as the source has them."""
    return sa.select(sa.literal_column("*")).select_from(clause(table))


def clause(table: Table) -> TableClause:
    """Return a table by its name, or schema and name."""
    schema, _, name = table.name.rpartition(".")
    return sa.table(name, schema=schema or None)


def chunks(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Cut a list into what one statement takes."""
    for at in range(0, len(values), CHUNK):
        yield values[at : at + CHUNK]
