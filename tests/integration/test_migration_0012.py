"""Bodies that were in the inbox move to the partitions of their days, and back."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.integration.bus.clinic import rows
from tests.integration.migrations import alembic, taken_back

REVISION, BEFORE = "0012_bodies", "0012_bodies-1"
MESSAGE = (
    "INSERT INTO bus.inbox (received_at, facility, sender, control_id, message_type, protocol, endpoint,"
    " charset, digest, body) VALUES (now() - make_interval(days => %s), 'MAIN', 'HIS', %s, 'ADT^A28', 'mllp',"
    " 'test', 'utf-8', '', %s) RETURNING id"
)


@pytest.fixture
def old_url(postgres_url: str) -> Iterator[str]:
    with taken_back(postgres_url, REVISION) as url:
        yield url


def test_bodies_move_to_their_days_and_back(old_url: str) -> None:
    sent = [(0, "C0", b"\x00new"), (1, "C1", b"day"), (200, "C2", b"old" * 4000), (200, "C3", b"")]
    with psycopg.connect(old_url) as connection:
        ids = [row[0] for one in sent for row in connection.execute(MESSAGE, one)]
        connection.execute("INSERT INTO bus.work (id, patient_key) VALUES (%s, 1)", [ids[0]])
        connection.execute("INSERT INTO bus.held (message_id, code, reason) VALUES (%s, 'x', 'y')", [ids[1]])
    alembic(old_url, "upgrade", REVISION)
    wanted = [(control_id, len(body), body) for _, control_id, body in sent]
    assert rows(old_url, "SELECT control_id, size, body FROM bus.message ORDER BY id") == wanted
    placed = (
        "SELECT count(DISTINCT tableoid), count(*) FILTER (WHERE tableoid = 'bus.body_kept'::regclass)"
        " FROM bus.body"
    )
    assert rows(old_url, placed) == [(3, 0)]
    with psycopg.connect(old_url) as connection, pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute(
            "INSERT INTO bus.inbox (facility, sender, control_id, message_type, protocol, endpoint, charset,"
            " digest, size) VALUES ('MAIN', 'HIS', 'C2', 'ADT^A28', 'mllp', 'test', 'utf-8', '', 0)"
        )
    with psycopg.connect(old_url) as connection:
        day = "(now() AT TIME ZONE 'Asia/Shanghai')::date - 200"
        connection.execute(f"SELECT bus.drop_body_day({day})".encode())
    alembic(old_url, "downgrade", BEFORE)
    back = [(0, "C0", b"\x00new"), (1, "C1", b"day"), (200, "C2", b""), (200, "C3", b"")]
    assert rows(old_url, "SELECT control_id, body FROM bus.inbox ORDER BY id") == [row[1:] for row in back]
    assert rows(old_url, "SELECT (SELECT count(*) FROM bus.work), (SELECT count(*) FROM bus.held)") == [
        (1, 1)
    ]
    alembic(old_url, "upgrade", REVISION)
