"""What became of the messages of a day: asked of the bus's own tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import psycopg

FATE = """
SELECT CASE WHEN w.id IS NULL THEN 'recorded'
            WHEN w.state = 0 THEN 'ready'
            WHEN w.state = 2 THEN 'waiting'
            ELSE coalesce((SELECT h.code FROM bus.held h WHERE h.message_id = i.id AND h.released_at IS NULL
                           ORDER BY h.id DESC LIMIT 1), 'held')
       END AS fate, count(*)
FROM unnest(%(senders)s::text[], %(ids)s::text[]) AS sent (sender, control_id)
JOIN bus.inbox i ON i.facility = %(facility)s AND i.sender = sent.sender
  AND i.control_id >= sent.control_id AND i.control_id < sent.control_id || '$'
  AND (i.control_id = sent.control_id OR starts_with(i.control_id, sent.control_id || '#'))
LEFT JOIN bus.work w ON w.id = i.id
GROUP BY fate
"""
"""The range of control ids (`$` follows `#`) lets the unique index find them."""


@dataclass(frozen=True, slots=True)
class Fate:
    """How many of a campus's messages are where. Messages, not sendings: one sent twice counts once."""

    recorded: int = 0
    ready: int = 0
    """Stored, and not through the router yet."""
    held: Counter[str] = field(default_factory=Counter)
    """Reason to count; `waiting` waits behind a held one of the same patient."""

    @property
    def stored(self) -> int:
        """All that the inbox has."""
        return self.recorded + self.ready + self.held.total()


def fate(connection: psycopg.Connection, facility: str, messages: Iterable[tuple[str, str]]) -> Fate:
    """Ask what became of those (sender, control id) of a campus.

    A control id matches up to its first `#`: behind it the tables adapter writes the digest of the row.
    """
    senders, ids = _columns(sorted(set(messages)))
    found = connection.execute(FATE, {"facility": facility, "senders": senders, "ids": ids}).fetchall()
    counts = Counter({str(name): int(count) for name, count in found})
    recorded, ready = counts.pop("recorded", 0), counts.pop("ready", 0)
    return Fate(recorded, ready, counts)


def numbers(
    connection: psycopg.Connection, facility: str, messages: Iterable[tuple[str, str]]
) -> tuple[int, ...]:
    """Return the bus's own numbers of those (sender, control id) of a campus, in its order."""
    senders, ids = _columns(sorted(set(messages)))
    found = connection.execute(
        "SELECT i.id FROM unnest(%(senders)s::text[], %(ids)s::text[]) AS sent (sender, control_id)"
        " JOIN bus.inbox i ON i.facility = %(facility)s AND i.sender = sent.sender"
        " AND i.control_id = sent.control_id ORDER BY i.id",
        {"facility": facility, "senders": senders, "ids": ids},
    )
    return tuple(int(number) for (number,) in found)


def refusal_codes(connection: psycopg.Connection, control_ids: Iterable[str]) -> dict[str, str]:
    """Return why messages of those control ids were refused, by the bus's own list of refusals."""
    found = connection.execute(
        "SELECT DISTINCT ON (control_id) control_id, code FROM bus.refusal"
        " WHERE control_id = ANY(%s) ORDER BY control_id, id DESC",
        (list(control_ids),),
    )
    return {str(control_id): str(code) for control_id, code in found}


def left(connection: psycopg.Connection) -> int:
    """Return how many messages of anybody are ready and not through."""
    row = connection.execute("SELECT count(*) FROM bus.work WHERE state = 0").fetchone()
    return int(row[0]) if row else 0


def _columns(messages: Sequence[tuple[str, str]]) -> tuple[list[str], list[str]]:
    return [sender for sender, _ in messages], [control_id for _, control_id in messages]
