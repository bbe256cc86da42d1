"""Notifications of before count as told, and the way back keeps one of each step."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import psycopg
import pytest

from tests.conftest import replace_path
from tests.integration.bus.clinic import rows
from tests.integration.migrations import alembic

REVISION, BEFORE = "0037_notifications", "0037_notifications-1"
TOLD = (
    "INSERT INTO workflow.notification (workflow_id, step, subject, subject_id, facility, duty, recipient)"
    " VALUES ('critical-value-1', 'told:0', 'critical_value', gen_random_uuid(), 'MAIN', '{duty}', 'D17')"
    " RETURNING id"
)


@pytest.fixture
def old_url(postgres_url: str) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}"'.encode())
        url = replace_path(postgres_url, name)
        alembic(url, "upgrade", REVISION)
        alembic(url, "downgrade", BEFORE)
        yield url
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


def test_what_was_told_is_not_told_again_and_the_way_back_has_one_of_each_step(old_url: str) -> None:
    [(first,)] = rows(old_url, TOLD.format(duty="ordering_doctor"))
    alembic(old_url, "upgrade", REVISION)
    assert rows(old_url, "SELECT id, spread_at = created_at, template FROM workflow.notification") == [
        (first, True, None)
    ]
    rows(old_url, TOLD.format(duty="department"))
    with psycopg.connect(old_url) as connection, pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute(TOLD.format(duty="department").encode())
    alembic(old_url, "downgrade", BEFORE)
    assert rows(old_url, "SELECT id, channel FROM workflow.notification") == [(first, "in_app")]
    alembic(old_url, "upgrade", REVISION)
