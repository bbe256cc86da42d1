"""The inbox for pollers, which commit their watermark together with what they read."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import psycopg

from bus import tracing
from bus.envelope import Arrival, Receipt, Refusal
from bus.inbox import refusals
from bus.inbox.storing import Storing
from bus.inbox.traced import stored


def accept_in(
    connection: psycopg.Connection[Any], arrivals: Sequence[Arrival], *, routing_key: str, window: timedelta
) -> list[Receipt]:
    """Store arrivals in the caller's transaction; they are accepted once that commits. One receipt each, in
    order.

    `window` is how long a control id stays known. psycopg's errors pass through.
    """
    if not arrivals:
        return []
    began = time.time_ns()
    asking = Storing(routing_key, window).run(arrivals)
    question = next(asking)
    with connection.cursor(binary=True, row_factory=psycopg.rows.tuple_row) as cursor:
        while True:
            rows = cursor.execute(question[0], question[1], prepare=True).fetchall()
            try:
                question = asking.send(rows)
            except StopIteration as done:
                receipts: list[Receipt] = done.value
                if tracing.recording():
                    seconds = (time.time_ns() - began) / 1e9
                    stored(arrivals, receipts, began, [seconds] * len(arrivals))
                return receipts


def refuse_in(connection: psycopg.Connection[Any], refused: Sequence[Refusal]) -> list[int]:
    """Keep what was refused, in the caller's transaction; return the numbers. psycopg's errors pass."""
    with connection.cursor(row_factory=psycopg.rows.tuple_row) as cursor:
        rows = [cursor.execute(refusals.INSERT, refusals.values(one)).fetchone() for one in refused]
    return [int(row[0]) for row in rows if row]
