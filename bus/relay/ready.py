"""The relay's questions to PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from bus.broker import Ring

LOCK = 0x59_69_6C_69_61_6E_01
"""Session advisory lock of the one relay that publishes; others stand by."""

DUE = """
SELECT id, patient_key, now() FROM bus.work
WHERE id > %s AND state = 0 AND published_at IS NULL AND (not_before IS NULL OR not_before <= now())
ORDER BY id LIMIT %s
"""

# A row that the router holds locked is being done, and one that it put off meanwhile must ring again.
MARK = """
WITH marked AS (
  UPDATE bus.work SET published_at = clock_timestamp()
  WHERE id IN (
    SELECT id FROM bus.work
    WHERE id = ANY(%(ids)s) AND state = 0 AND published_at IS NULL
      AND (not_before IS NULL OR not_before <= %(selected)s)
    FOR UPDATE SKIP LOCKED
  )
)
INSERT INTO bus.trace (message_id, step) SELECT unnest(%(ids)s::bigint[]), 'published'
"""

FORGOTTEN = """
UPDATE bus.work SET published_at = NULL
WHERE id IN (
  SELECT id FROM bus.work
  WHERE state = 0 AND published_at < now() - make_interval(secs => %s)
  FOR UPDATE SKIP LOCKED
)
"""


@dataclass(frozen=True, slots=True)
class Due:
    """Rings that are due, in inbox order, and when the database was asked."""

    rings: tuple[Ring, ...]
    selected: datetime | None


async def lead(connection: psycopg.AsyncConnection[Any]) -> bool:
    """Take the relay's lock for this session; False when another relay has it."""
    row = await (await connection.execute("SELECT pg_try_advisory_lock(%s)", (LOCK,))).fetchone()
    return bool(row and row[0])


async def due(connection: psycopg.AsyncConnection[Any], floor: int, limit: int) -> Due:
    """Return what is to be published with an id above `floor`."""
    rows = await (await connection.execute(DUE, (floor, limit))).fetchall()
    return Due(tuple(Ring(row[0], row[1]) for row in rows), rows[0][2] if rows else None)


async def mark(connection: psycopg.AsyncConnection[Any], ids: Sequence[int], selected: datetime) -> None:
    """Note that these are confirmed by the broker."""
    await connection.execute(MARK, {"ids": list(ids), "selected": selected})


async def forget(connection: psycopg.AsyncConnection[Any], age: float) -> int:
    """Make due again what was published `age` seconds ago and is not done; returns how many."""
    return (await connection.execute(FORGOTTEN, (age,))).rowcount
