"""One database for all tests of a file: each works in a transaction of its own, rolled back at the end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from tests.conftest import database


@pytest.fixture(scope="module")
def shared_engine(postgres_url: str, template_database: str) -> Iterator[sa.Engine]:
    """Engine on a database in which nothing is ever committed."""
    with database(postgres_url, template_database) as url:
        engine = sa.create_engine(
            url.replace("postgresql://", "postgresql+psycopg://", 1), poolclass=NullPool
        )
        yield engine
        engine.dispose()


@pytest.fixture
def connection(shared_engine: sa.Engine) -> Iterator[sa.Connection]:
    """One transaction, rolled back at the end."""
    with shared_engine.connect() as connection:
        yield connection
