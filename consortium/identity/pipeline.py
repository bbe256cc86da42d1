"""Several writes in one round trip: PostgreSQL's pipeline mode, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import sqlalchemy as sa


@contextmanager
def pipelined(connection: sa.Connection) -> Iterator[None]:
    """Send what the block writes without waiting for each answer; at its end all have come.

    A statement in the block has no rows and no count yet. What fails is raised at a later statement or at the
    end, as SQLAlchemy raises it; the transaction is over then as after any error.
    """
    driver = connection.connection.driver_connection
    if not isinstance(driver, psycopg.Connection):
        raise TypeError("identity is written through psycopg")
    try:
        with driver.pipeline():
            yield
    except psycopg.Error as error:
        hidden = connection.engine.hide_parameters
        raise sa.exc.DBAPIError.instance(None, None, error, psycopg.Error, hidden) from error
