"""What must hold after any kill, asked of PostgreSQL.

*Lost*: acknowledged, and neither effective nor held. *Twice*: stored or recorded more than once. *Order*: a
patient's history does not show the corrections in the order in which they were sent and stored.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import psycopg

from tests.fault.traffic import Traffic

Kind = Literal["lost", "twice", "order", "held", "refused"]


@dataclass(frozen=True, slots=True)
class Violation:
    """One promise that was broken."""

    kind: Kind
    subject: str
    detail: str


_STORED = "SELECT control_id, count(*), min(id) FROM bus.inbox GROUP BY control_id"
_RECORDED = (
    "SELECT i.control_id, count(t.message_id) FROM bus.inbox i"
    " LEFT JOIN bus.trace t ON t.message_id = i.id AND t.step = 'recorded' GROUP BY i.control_id"
)
_WORK = "SELECT i.control_id, w.state FROM bus.work w JOIN bus.inbox i USING (id)"
_HELD = (
    "SELECT i.control_id, h.code FROM bus.held h JOIN bus.inbox i ON i.id = h.message_id"
    " WHERE h.released_at IS NULL"
)
_HISTORY = """
SELECT s.number, v.phone FROM identity.source_patient s JOIN LATERAL (
  SELECT h.version, h.facts->>'phone' AS phone FROM identity.source_patient_history h
  WHERE h.source_patient_id = s.id
  UNION ALL SELECT s.version, s.phone
) v ON true ORDER BY s.number, v.version
"""
_INBOX_ORDER = "SELECT patient_number, control_id FROM bus.inbox ORDER BY id"


def check(url: str, traffic: Traffic, acknowledged: Collection[str]) -> list[Violation]:
    """Return every promise that was broken; the queues must be drained, or what is left counts as lost."""
    with psycopg.connect(url) as connection:
        return [
            *_lost(connection, acknowledged),
            *_twice(connection),
            *_held(connection),
            *_order(connection, traffic, acknowledged),
        ]


def _rows(connection: psycopg.Connection[Any], query: str) -> list[tuple[Any, ...]]:
    return connection.execute(query.encode()).fetchall()


def _lost(connection: psycopg.Connection[Any], acknowledged: Collection[str]) -> Iterator[Violation]:
    stored = {row[0] for row in _rows(connection, _STORED)}
    recorded = {row[0] for row in _rows(connection, _RECORDED) if row[1]}
    held = {row[0] for row in _rows(connection, _HELD)}
    left = dict(_rows(connection, _WORK))
    for control_id in sorted(acknowledged):
        if control_id not in stored:
            yield Violation("lost", control_id, "acknowledged, not in the inbox")
        elif control_id in left and control_id not in held:
            yield Violation("lost", control_id, f"stored, never handled (state {left[control_id]})")
        elif control_id not in recorded and control_id not in held:
            yield Violation("lost", control_id, "no effect and not held")


def _twice(connection: psycopg.Connection[Any]) -> Iterator[Violation]:
    for control_id, count, _ in _rows(connection, _STORED):
        if count > 1:
            yield Violation("twice", control_id, f"stored {count} times")
    for control_id, count in _rows(connection, _RECORDED):
        if count > 1:
            yield Violation("twice", control_id, f"recorded {count} times")


def _held(connection: psycopg.Connection[Any]) -> Iterator[Violation]:
    for control_id, code in _rows(connection, _HELD):
        yield Violation("held", control_id, f"held: {code}; nothing in this traffic is to be held")


def _order(
    connection: psycopg.Connection[Any], traffic: Traffic, acknowledged: Collection[str]
) -> Iterator[Violation]:
    sent: dict[str, list[str]] = {}
    for message in traffic.messages:
        if message.control_id in acknowledged:
            sent.setdefault(message.number, []).append(message.phone)
    shown = _grouped(_rows(connection, _HISTORY))
    phones = {message.control_id: message.phone for message in traffic.messages}
    stored = _grouped((number, phones[control]) for number, control in _rows(connection, _INBOX_ORDER))
    for number, expected in sent.items():
        for where, found in (("history", shown.get(number, [])), ("inbox", stored.get(number, []))):
            if found != expected:
                yield Violation("order", number, _difference(where, found, expected))


def _difference(where: str, found: list[str], expected: list[str]) -> str:
    place = next(
        (i for i, (a, b) in enumerate(zip(found, expected, strict=False)) if a != b),
        min(len(found), len(expected)),
    )
    return f"{where} has {len(found)} of {len(expected)} steps; the first that differs is step {place}"


def _grouped(rows: Any) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for key, value in rows:
        groups.setdefault(key, []).append(value)
    return groups
