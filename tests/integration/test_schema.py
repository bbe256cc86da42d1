"""The schema is one chain of migrations."""

from __future__ import annotations

import psycopg


def test_a_fresh_database_has_the_bus(database_url: str) -> None:
    with psycopg.connect(database_url) as db:
        row = db.execute("SELECT count(*) FROM bus.inbox").fetchone()
    assert row == (0,)


def test_a_fresh_vhost_answers(amqp_url: str) -> None:
    import pika

    with pika.BlockingConnection(pika.URLParameters(amqp_url)) as connection:
        assert connection.is_open
