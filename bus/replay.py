"""Replaying held messages: one by its id, or all that are held for one reason. Each in a transaction of its
own.
"""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from bus import held

PAGE = 500


def replay(engine: sa.Engine, message_id: int, by: str) -> list[int]:
    """Let a held message go through the rules of now; those behind it follow in inbox order.

    Returns the ids that are ready again. Raises `held.NotHeldError`.
    """
    with engine.begin() as connection:
        return held.release(connection, message_id, by)


def replay_all(
    engine: sa.Engine, by: str, *, code: str | None = None, facility: str | None = None
) -> Iterator[int]:
    """Replay all that are held for a reason, oldest first, and give their ids."""
    after = 0
    while True:
        with engine.connect() as connection:
            found = held.list_held(connection, code=code, facility=facility, after=after, limit=PAGE)
        for message in found:
            try:
                replay(engine, message.message_id, by)
            except held.NotHeldError:
                continue  # somebody else released it meanwhile
            yield message.message_id
        if len(found) < PAGE:
            return
        after = found[-1].message_id
