"""Several statements in one round trip: PostgreSQL's pipeline mode, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import sqlalchemy as sa


@contextmanager
def pipelined(connection: sa.Connection) -> Iterator[None]:
    """Send what the block writes without waiting for each answer; at its end all have come.

    A statement in the block has no rows and no count yet. What fails is raised at a later statement or at the
    end, as SQLAlchemy raises it; the transaction is over then as after any error.
    """
    driver = _driver(connection)
    try:
        with driver.pipeline():
            yield
    except psycopg.Error as error:
        hidden = connection.engine.hide_parameters
        raise sa.exc.DBAPIError.instance(None, None, error, psycopg.Error, hidden) from error


@dataclass(frozen=True, slots=True)
class Question:
    """A statement that gives rows."""

    statement: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """Its rows."""

    columns: tuple[str, ...] = ()
    rows: Sequence[tuple[Any, ...]] = ()

    def mappings(self) -> Iterator[dict[str, Any]]:
        """Give the rows by name."""
        for row in self.rows:
            yield dict(zip(self.columns, row, strict=True))


def ask(connection: sa.Connection, questions: Sequence[Question]) -> list[Answer]:
    """Ask several questions in one round trip, and return their answers. Each sees what was committed when
    the one before it was answered: what is asked behind a lock is asked with the lock held.
    """
    driver = _driver(connection)
    with pipelined(connection):
        cursors = [driver.cursor().execute(each.statement.encode(), each.values) for each in questions]
    return [Answer(tuple(one.name for one in each.description or ()), each.fetchall()) for each in cursors]


def _driver(connection: sa.Connection) -> psycopg.Connection[Any]:
    driver = connection.connection.driver_connection
    if not isinstance(driver, psycopg.Connection):
        raise TypeError("identity is read and written through psycopg")
    return driver
