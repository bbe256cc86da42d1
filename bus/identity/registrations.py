"""Register once (一次建档): how fast the other campuses heard of people who were registered at one.

A rule sends a registration to the destinations of the campuses that take it. What the trace and the
deliveries tell is put together here, for each new patient number; nothing is kept for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from bus.trace import RECORDED

_REGISTERED = sa.text("""
SELECT l.id, l.message_id, s.facility, l.to_person AS person_id, l.rule, i.received_at,
       (SELECT min(t.at) FROM bus.trace t WHERE t.message_id = l.message_id AND t.step = :recorded)
         AS linked_at
  FROM identity.ledger l
  JOIN identity.source_patient s ON s.id = l.source_patient_id
  JOIN bus.inbox i ON i.id = l.message_id
 WHERE l.from_person IS NULL AND (CAST(:facility AS text) IS NULL OR s.facility = :facility)
   AND l.at >= :since AND (CAST(:before AS bigint) IS NULL OR l.id < :before)
 ORDER BY l.id DESC LIMIT :limit
""")
_DELIVERIES = sa.text(
    "SELECT message_id, destination, state, queued_at, sent_at, answered_at FROM bus.delivery"
    " WHERE message_id = ANY(:messages) AND destination = ANY(:names) AND generation = 0 ORDER BY id"
)
_CAMPUSES = sa.text("""
WITH known AS (
  SELECT * FROM unnest(CAST(:names AS text[]), CAST(:facilities AS text[])) AS k(name, facility)
), heard AS (
  SELECT k.facility, d.state, extract(epoch FROM d.answered_at - i.received_at) AS seconds
    FROM identity.ledger l
    JOIN identity.source_patient s ON s.id = l.source_patient_id
    JOIN bus.inbox i ON i.id = l.message_id
    JOIN bus.delivery d ON d.message_id = l.message_id AND d.generation = 0
    JOIN known k ON k.name = d.destination
   WHERE l.from_person IS NULL AND l.at >= :since AND k.facility <> s.facility
     AND (CAST(:facility AS text) IS NULL OR s.facility = :facility))
SELECT facility, count(*) AS told, count(*) FILTER (WHERE state = 'delivered') AS acknowledged,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) FILTER (WHERE state = 'delivered') AS p50,
       percentile_cont(0.95) WITHIN GROUP (ORDER BY seconds) FILTER (WHERE state = 'delivered') AS p95
  FROM heard GROUP BY facility ORDER BY facility
""")


@dataclass(frozen=True, slots=True)
class Told:
    """What one campus was told of a registration."""

    facility: str
    destination: str
    state: str
    queued_at: datetime
    sent_at: datetime | None
    answered_at: datetime | None
    seconds: float | None
    """From when it was received to the campus's acknowledgement."""


@dataclass(frozen=True, slots=True)
class Registration:
    """One new patient number."""

    id: int
    """Of its line in the ledger."""
    message_id: int
    facility: str
    """Where the person was registered."""
    person_id: UUID
    known_before: bool
    """Linked at once to somebody whom another number stood for."""
    received_at: datetime
    linked_at: datetime | None
    """When identity and records were committed; None: its trace was dropped."""
    told: Sequence[Told]


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast one campus heard of people who were registered elsewhere."""

    facility: str
    told: int
    """Deliveries begun."""
    acknowledged: int
    p50: float | None
    """Seconds from when a registration was received to the campus's acknowledgement."""
    p95: float | None


def registrations(
    connection: sa.Connection,
    destinations: Mapping[str, str],
    *,
    since: datetime,
    facility: str | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[Registration]:
    """Return registrations, newest first; `destinations`: the campus of each; `facility`: where the person
    was registered.
    """
    values = {
        "recorded": RECORDED,
        "facility": facility,
        "since": since,
        "before": before,
        "limit": limit,
    }
    rows = connection.execute(_REGISTERED, values).mappings().all()
    names = {"messages": [row["message_id"] for row in rows], "names": list(destinations)}
    told: dict[int, list[sa.RowMapping]] = {}
    for row in connection.execute(_DELIVERIES, names).mappings():
        told.setdefault(row["message_id"], []).append(row)
    return [_registration(row, told.get(row["message_id"], []), destinations) for row in rows]


def speeds(
    connection: sa.Connection,
    destinations: Mapping[str, str],
    *,
    since: datetime,
    facility: str | None = None,
) -> list[Speed]:
    """Return how fast each campus heard, by campus."""
    values = {
        "names": list(destinations),
        "facilities": list(destinations.values()),
        "since": since,
        "facility": facility,
    }
    return [Speed(**row) for row in connection.execute(_CAMPUSES, values).mappings()]


def _registration(
    row: sa.RowMapping, told: Sequence[sa.RowMapping], destinations: Mapping[str, str]
) -> Registration:
    values = {name: value for name, value in row.items() if name != "rule"}
    elsewhere = [one for one in told if destinations[one["destination"]] != row["facility"]]
    return Registration(
        **values,
        known_before=row["rule"] != "own_number",
        told=[_told(one, row["received_at"], destinations) for one in elsewhere],
    )


def _told(row: sa.RowMapping, received_at: datetime, destinations: Mapping[str, str]) -> Told:
    answered = row["answered_at"]
    taken = row["state"] == "delivered" and answered is not None
    times = {name: row[name] for name in ("destination", "state", "queued_at", "sent_at", "answered_at")}
    seconds = (answered - received_at).total_seconds() if taken else None
    return Told(facility=destinations[row["destination"]], **times, seconds=seconds)
