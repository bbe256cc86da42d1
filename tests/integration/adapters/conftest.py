"""One database a test module for the HTTP adapters and the poller, emptied before each test."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.conftest import database as database_of


@pytest.fixture(scope="module")
def module_database_url(postgres_url: str, template_database: str) -> Iterator[str]:
    """URL of a migrated database that the module's tests share."""
    with database_of(postgres_url, template_database) as url:
        yield url


@pytest.fixture
def database(module_database_url: str) -> Iterator[psycopg.Connection]:
    """A connection to look behind the door; the bus is empty."""
    with psycopg.connect(module_database_url, autocommit=True) as connection:
        connection.execute(
            "TRUNCATE bus.inbox, bus.body, bus.work, bus.held, bus.trace, bus.refusal, bus.watermark"
        )
        yield connection
