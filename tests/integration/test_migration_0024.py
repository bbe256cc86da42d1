"""What was sent is kept from now on, and the way back keeps deliveries as the rules made them."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.integration.bus.clinic import rows
from tests.integration.migrations import alembic, taken_back

REVISION, BEFORE = "0024_sent_forms", "0024_sent_forms-1"
DELIVERY = (
    "INSERT INTO bus.delivery (destination, message_id, patient_key, form, state) VALUES"
    " ('ward', 1, 1, 'raw', 'delivered') RETURNING id"
)
AGAIN = (
    "WITH a AS (INSERT INTO bus.delivery_again (by, why, destination, request) VALUES"
    " ('chen', 'lost', 'ward', '{}') RETURNING id)"
    " INSERT INTO bus.delivery (destination, message_id, patient_key, form, generation, again_of, again_id)"
    " SELECT 'ward', 1, 1, 'raw', 1, 1, id FROM a RETURNING id"
)


@pytest.fixture
def old_url(postgres_url: str) -> Iterator[str]:
    with taken_back(postgres_url, REVISION) as url:
        yield url


def test_deliveries_stay_and_what_was_sent_again_is_forgotten_on_the_way_back(old_url: str) -> None:
    [(first,)] = rows(old_url, DELIVERY)
    alembic(old_url, "upgrade", REVISION)
    assert rows(old_url, "SELECT sent_digest, sent_rules, generation FROM bus.delivery") == [(None, None, 0)]
    rows(old_url, AGAIN)
    with psycopg.connect(old_url) as connection:
        connection.execute("INSERT INTO bus.sent VALUES (1, now() - interval '100 days', now(), 'utf-8')")
        connection.execute("INSERT INTO bus.retention (what, dropped) VALUES ('sent', 1)")
        assert connection.execute("SELECT count(*) FROM bus.sent_kept").fetchone() == (1,)
        day = "((now() - interval '100 days') AT TIME ZONE 'Asia/Shanghai')::date"
        connection.execute(f"SELECT bus.make_body_day({day})".encode())
        assert connection.execute("SELECT count(*) FROM bus.sent_kept").fetchone() == (0,)
    with psycopg.connect(old_url) as connection, pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute(DELIVERY.encode())
    alembic(old_url, "downgrade", BEFORE)
    assert rows(old_url, "SELECT id FROM bus.delivery") == [(first,)]
    with psycopg.connect(old_url) as connection:
        assert connection.execute("SELECT bus.make_body_day(date '2020-01-01')").fetchone() == (True,)
    alembic(old_url, "upgrade", REVISION)
