"""One database for all tests of a file: each works in a transaction of its own, rolled back at the end."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from tests.conftest import replace_path


@pytest.fixture(scope="module")
def shared_engine(postgres_url: str, template_database: str) -> Iterator[sa.Engine]:
    """Engine on a database in which nothing is ever committed."""
    name = f"documents_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template_database}"'.encode())
        url = replace_path(postgres_url, name).replace("postgresql://", "postgresql+psycopg://", 1)
        engine = sa.create_engine(url, poolclass=NullPool)
        yield engine
        engine.dispose()
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


@pytest.fixture
def connection(shared_engine: sa.Engine) -> Iterator[sa.Connection]:
    """One transaction, rolled back at the end."""
    with shared_engine.connect() as connection:
        yield connection
