"""The engine that activities work through: short transactions, bounded waits."""

from __future__ import annotations

from sqlalchemy import Engine, create_engine, make_url

STATEMENT_TIMEOUT = 20_000
"""Milliseconds; below the activities' own timeout, so that an attempt ends before the next begins."""


def engine(database_url: str) -> Engine:
    """Return a pool on `postgresql://…`; a connection is tested before use: the server may have restarted."""
    url = make_url(database_url).set(drivername="postgresql+psycopg")
    return create_engine(
        url,
        pool_size=4,
        max_overflow=4,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={
            "connect_timeout": 5,
            "application_name": "activities",
            "options": f"-c statement_timeout={STATEMENT_TIMEOUT}",
        },
    )
