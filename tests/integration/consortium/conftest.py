"""A connection to a fresh database."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.pool import NullPool


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    """Engine on a fresh migrated database."""
    engine = sa.create_engine(
        database_url.replace("postgresql://", "postgresql+psycopg://", 1), poolclass=NullPool
    )
    yield engine
    engine.dispose()


@pytest.fixture
def connection(engine: sa.Engine) -> Iterator[sa.Connection]:
    """One transaction, rolled back at the end."""
    with engine.connect() as connection:
        yield connection
