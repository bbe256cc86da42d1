"""One database a test module for the HTTP adapters and the poller, emptied before each test."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import psycopg
import pytest

from tests.conftest import replace_path


@pytest.fixture(scope="module")
def module_database_url(postgres_url: str, template_database: str) -> Iterator[str]:
    """URL of a migrated database that the module's tests share."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template_database}"'.encode())
        yield replace_path(postgres_url, name)
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


@pytest.fixture
def database(module_database_url: str) -> Iterator[psycopg.Connection]:
    """A connection to look behind the door; the bus is empty."""
    with psycopg.connect(module_database_url, autocommit=True) as connection:
        connection.execute(
            "TRUNCATE bus.inbox, bus.body, bus.work, bus.held, bus.trace, bus.refusal, bus.watermark"
        )
        yield connection
