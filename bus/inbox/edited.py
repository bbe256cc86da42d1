"""Storing an edited message beside its original: the same control id, the next generation."""

from __future__ import annotations

from typing import Any

import psycopg

from bus.envelope import Arrival
from bus.inbox.storing import INSERT_AGAIN, values
from consortium.errors import RetryableError

_NEXT = b"SELECT max(generation) + 1 FROM bus.inbox WHERE facility = %b AND sender = %b AND control_id = %b"
READY = 0


def store_edited(connection: psycopg.Connection[Any], arrival: Arrival, key: int, other: int | None) -> int:
    """Store a message under a known control id, ready to be routed, in the caller's transaction.

    `key`, `other`: of its patients. Returns its id. Raises RetryableError when another took the generation.
    """
    with connection.cursor(binary=True, row_factory=psycopg.rows.tuple_row) as cursor:
        named = (arrival.facility, arrival.sender, arrival.control_id)
        [(generation,)] = cursor.execute(_NEXT, named).fetchall()
        row = (*values(arrival), generation, key, other, READY, "", False, None)
        stored = cursor.execute(INSERT_AGAIN, row).fetchall()
    if not stored:
        raise RetryableError("another message took the same control id at the same moment: send it again")
    number: int = stored[0][0]
    return number
