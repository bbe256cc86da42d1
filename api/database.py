"""The API's connections to PostgreSQL."""

from __future__ import annotations

from sqlalchemy import Engine, create_engine

from consortium.errors import PermanentError
from consortium.records.query import STORE
from runtime.contents import opened_store
from runtime.settings import Settings

POOL = 8
OVERFLOW = 24
"""More than the threads that serve requests is of no use; fewer make them wait."""


def engine(settings: Settings) -> Engine:
    """Return a pool over the platform's database; its error texts hide parameters, which are patient data."""
    if not settings.database_url:
        raise PermanentError("the setting database_url is empty; run ./yilian up, or set YILIAN_DATABASE_URL")
    return create_engine(
        settings.database_url.replace("postgresql://", "postgresql+psycopg://", 1),
        pool_size=POOL,
        max_overflow=OVERFLOW,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={"connect_timeout": 5, "application_name": "api"},
        execution_options={STORE: opened_store(settings)},
    )
