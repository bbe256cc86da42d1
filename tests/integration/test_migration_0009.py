"""Messages that were held before master data came are found by the code they wait for."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.conftest import database
from tests.integration.bus.clinic import rows
from tests.integration.migrations import alembic

BEFORE, AFTER = "0004_workflow", "0009_master_data"
MESSAGE = (
    "INSERT INTO bus.inbox (facility, sender, control_id, message_type, protocol, endpoint, charset,"
    " digest, body) SELECT 'MAIN', 'HIS', count(*)::text, 'ADT^A28', 'mllp', 'test', 'utf-8', '', ''"
    " FROM bus.inbox RETURNING id"
)
OLD = "the code {} of PID-8 is not in the table sex for MAIN; add it, then replay"


@pytest.fixture
def old_url(postgres_url: str) -> Iterator[str]:
    with database(postgres_url) as url:
        alembic(url, "upgrade", BEFORE)
        yield url


def test_what_was_held_before_names_its_code_and_the_way_back_is_open(old_url: str) -> None:
    reasons = [OLD.format("'X'"), OLD.format("of 57 characters"), OLD.format("'X'")]
    codes = ["unmapped_code", "unmapped_code", "rejected_code"]
    with psycopg.connect(old_url) as connection:
        for code, reason in zip(codes, reasons, strict=True):
            [message] = connection.execute(MESSAGE).fetchone() or ()
            connection.execute(
                "INSERT INTO bus.held (message_id, code, reason, step) VALUES (%s, %s, %s, 'lookup sex')",
                (message, code, reason),
            )
    alembic(old_url, "upgrade", AFTER)
    found = rows(old_url, "SELECT code_table, source_code FROM bus.held ORDER BY id")
    assert found == [("sex", "X"), (None, None), (None, None)]
    alembic(old_url, "downgrade", BEFORE)
    assert rows(old_url, "SELECT count(*) FROM bus.held") == [(3,)]
    alembic(old_url, "upgrade", AFTER)
