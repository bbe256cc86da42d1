"""The engine that activities work through: short transactions, bounded waits."""

from __future__ import annotations

from sqlalchemy import Engine, create_engine, make_url

STATEMENT_TIMEOUT = 20_000
"""Milliseconds; below the activities' own timeout, so that an attempt ends before the next begins."""


def engine(database_url: str, connections: int = 8) -> Engine:
    """Return a pool on `postgresql://…` of at most so many connections.

    One is tested before use: the server may have restarted.
    """
    kept = min(4, connections)
    url = make_url(database_url).set(drivername="postgresql+psycopg")
    return create_engine(
        url,
        pool_size=kept,
        max_overflow=connections - kept,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={
            "connect_timeout": 5,
            "application_name": "activities",
            "options": f"-c statement_timeout={STATEMENT_TIMEOUT}",
        },
    )
