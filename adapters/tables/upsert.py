"""Writing a row over by its business key: one statement where the database has one, else two.

With a status column a row that is the same as before keeps its status, so that what is sent twice is not
done twice by whoever reads the table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.sql import ColumnElement

from adapters.tables.target import Family, Target
from adapters.tables.values import Row
from bus.rules.sending.tables import Status

Write = Callable[[sa.Connection, Row], None]
"""Writes one row in the caller's transaction."""
Find = Callable[[sa.Connection, Row], bool | None]
"""Says whether one row is there; None: there is one like it as far as its database compares columns."""
BINARY = "Chinese_PRC_BIN2"
"""Collation of SQL Server that tells every two texts apart."""


def writer(backend: str, target: Target, status: Status | None, *, again: bool = False) -> Write:
    """Return how a row is written to that database. `again`: sent again on purpose, the reader is to take
    even a row that is the same.
    """
    if backend == "postgresql":
        return _one(on_conflict(target, status, again=again))
    if backend in ("mysql", "mariadb"):
        return _one(on_duplicate(target, status, again=again))
    return _two(update(target, status, backend, again=again), insert(target, status))


def on_conflict(target: Target, status: Status | None, *, again: bool = False) -> sa.Insert:
    """Return the upsert of PostgreSQL."""
    made = postgresql.insert(target.table).values(_inserted(target, status))
    changes: dict[str, Any] = {name: made.excluded[name] for name in _others(target)}
    if status:
        changes[status.column] = _kept(target, status, made.excluded, "postgresql", again=again)
    if not changes:
        return made.on_conflict_do_nothing(index_elements=list(target.key))
    return made.on_conflict_do_update(index_elements=list(target.key), set_=changes)


def on_duplicate(target: Target, status: Status | None, *, again: bool = False) -> sa.Insert:
    """Return the upsert of MySQL and MariaDB, which assign from left to right: the status comes first."""
    made = mysql.insert(target.table).values(_inserted(target, status))
    changes: list[tuple[str, Any]] = []
    if status:
        changes.append((status.column, _kept(target, status, made.inserted, "mysql", again=again)))
    changes += [(name, made.inserted[name]) for name in _others(target) or target.key[:1]]
    return made.on_duplicate_key_update(changes)


def update(target: Target, status: Status | None, backend: str, *, again: bool = False) -> sa.Update:
    """Return the first of two statements, which takes the row's lock and no other."""
    new = {name: sa.bindparam(f"{name}_", type_=target.table.c[name].type) for name in target.cells}
    changes: dict[str, Any] = {name: new[name] for name in _others(target) or target.key[:1]}
    if status:
        changes[status.column] = _kept(target, status, new, backend, again=again)
    where = [target.table.c[name] == new[name] for name in target.key]
    return sa.update(target.table).where(*where).values(changes)


def insert(target: Target, status: Status | None) -> sa.Insert:
    """Return the second, for a row that is not there."""
    return sa.insert(target.table).values(_inserted(target, status))


def finder(target: Target, backend: str) -> Find:
    """Return how it is looked whether a row is there with the same values; the status is its reader's.

    An earlier row of that key may differ in a column that is not compared alone: that cannot be told.
    """
    new = {name: sa.bindparam(f"{name}_", type_=target.table.c[name].type) for name in target.cells}
    compared = [name for name in _others(target) if not _uncompared(target, name, backend)]
    same = [_same(target, name, new[name], backend) for name in compared]
    every = len(compared) == len(_others(target))
    keys = [target.table.c[name] == new[name] for name in target.key]
    statement = sa.select(sa.func.count()).select_from(target.table).where(*keys, *same)

    def find(connection: sa.Connection, row: Row) -> bool | None:
        values = {f"{name}_": value for name, value in row.items()}
        if not connection.execute(statement, values).scalar_one():
            return False
        return True if every else None

    return find


def _uncompared(target: Target, name: str, backend: str) -> bool:
    """Whether a database compares no values of a column's type."""
    large = isinstance(target.table.c[name].type, sa.Text | sa.LargeBinary)
    return large and backend in ("oracle", "mssql")


def _one(statement: sa.Insert) -> Write:
    def write(connection: sa.Connection, row: Row) -> None:
        connection.execute(statement, {f"{name}_": value for name, value in row.items()})

    return write


def _two(first: sa.Update, second: sa.Insert) -> Write:
    def write(connection: sa.Connection, row: Row) -> None:
        values = {f"{name}_": value for name, value in row.items()}
        if connection.execute(first, values).rowcount == 0:
            connection.execute(second, values)

    return write


def _inserted(target: Target, status: Status | None) -> dict[str, Any]:
    values: dict[str, Any] = {
        name: sa.bindparam(f"{name}_", type_=target.table.c[name].type) for name in target.cells
    }
    if status:
        values[status.column] = sa.literal(status.new, target.table.c[status.column].type)
    return values


def _others(target: Target) -> list[str]:
    return [name for name in target.cells if name not in target.key]


def _kept(
    target: Target, status: Status, new: Mapping[str, Any] | Any, backend: str, *, again: bool
) -> ColumnElement[Any]:
    column = target.table.c[status.column]
    fresh = sa.literal(status.new, column.type)
    if again:
        return fresh
    same = [_same(target, name, new[name], backend) for name in _others(target)]
    return sa.case((sa.and_(sa.true(), *same), column), else_=fresh)


def _same(target: Target, name: str, new: ColumnElement[Any], backend: str) -> ColumnElement[bool]:
    old: ColumnElement[Any] = target.table.c[name]
    if _uncompared(target, name, backend):
        return sa.false()  # the row counts as changed
    if target.cells[name].family is Family.TEXT:
        # Most collations take A for a; what changed must not pass for the same.
        if backend in ("mysql", "mariadb"):
            old, new = sa.cast(old, sa.BINARY), sa.cast(new, sa.BINARY)
        elif backend == "mssql":
            old, new = old.collate(BINARY), new.collate(BINARY)
    return old.is_not_distinct_from(new)
