"""The systems of the campuses: who sends what by which way, since when, how much, and when last.

The table is counted on as messages come, never by reading the inbox anew. See migration 0008 for the marker.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from bus.rules.condition import read_condition
from bus.rules.expression import ExpressionError, context_of
from bus.rules.loader import Rule
from bus.rules.ruleset import RuleSet
from bus.sources.fhir import PROTOCOL
from bus.sources.rows import RowSource
from bus.sources.source import Envelope
from consortium.records.model import Kind

CHUNK = 50_000
"""Ids passed in one transaction."""
ZONE = "Asia/Shanghai"

TURN = sa.text(
    "SELECT position, marker, marker_at < clock_timestamp() - interval '2 seconds'"
    " AND pg_snapshot_xmin(pg_current_snapshot()) >= marker_xmax AS settled"
    " FROM bus.system_position FOR UPDATE SKIP LOCKED"
)
MARK = sa.text(
    "UPDATE bus.system_position SET marker = (SELECT coalesce(max(id), 0) FROM bus.inbox),"
    " marker_xmax = pg_snapshot_xmax(pg_current_snapshot()), marker_at = clock_timestamp()"
)
PASS = sa.text("UPDATE bus.system_position SET position = :to")
COUNT = sa.text(
    "INSERT INTO bus.system AS s (facility, sender, protocol, endpoint, message_type, first_seen, last_seen,"
    " messages, day, today)"
    " SELECT facility, sender, protocol, endpoint, message_type, min(received_at), max(received_at),"
    " count(*), max(day), count(*) FILTER (WHERE day = newest) FROM ("
    "  SELECT i.*, max(i.day) OVER (PARTITION BY facility, sender, protocol, endpoint, message_type)"
    "  AS newest FROM (SELECT facility, sender, protocol, endpoint, message_type, received_at,"
    "        (received_at AT TIME ZONE :zone)::date AS day"
    "        FROM bus.inbox WHERE id > :after AND id <= :to) i) c"
    " GROUP BY facility, sender, protocol, endpoint, message_type"
    " ORDER BY facility, sender, protocol, endpoint, message_type"
    " ON CONFLICT (facility, sender, protocol, endpoint, message_type) DO UPDATE SET"
    " messages = s.messages + excluded.messages, last_seen = greatest(s.last_seen, excluded.last_seen),"
    " today = CASE WHEN excluded.day > s.day THEN excluded.today WHEN excluded.day = s.day"
    " THEN s.today + excluded.today ELSE s.today END, day = greatest(s.day, excluded.day)"
)
ROWS = sa.text(
    "SELECT facility, sender, protocol, endpoint, message_type, first_seen, last_seen, messages,"
    " CASE WHEN day = (clock_timestamp() AT TIME ZONE :zone)::date THEN today ELSE 0 END AS today,"
    " extract(epoch FROM clock_timestamp() - last_seen)::float8 AS age"
    " FROM bus.system ORDER BY facility, sender, protocol, endpoint, message_type"
)
HELD_TODAY = sa.text(
    "SELECT i.facility, i.sender, count(*) FROM bus.held h JOIN bus.inbox i ON i.id = h.message_id"
    " WHERE h.held_at >= date_trunc('day', clock_timestamp() AT TIME ZONE :zone) AT TIME ZONE :zone"
    " GROUP BY 1, 2"
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of one type from one sender by one door."""

    facility: str
    sender: str
    protocol: str
    endpoint: str
    message_type: str
    first_seen: datetime
    last_seen: datetime
    messages: int
    """Since it was first seen."""
    today: int
    """In China's time."""
    age: float
    """Seconds since the last."""


def advance(engine: sa.Engine) -> bool:
    """Count messages on; True when there is more to do at once."""
    with engine.begin() as connection:
        turn = connection.execute(TURN).one_or_none()
        if turn is None:
            return False
        if turn.position >= turn.marker:
            connection.execute(MARK)
            return False
        if not turn.settled:
            return False
        to = min(turn.marker, turn.position + CHUNK)
        connection.execute(COUNT, {"after": turn.position, "to": to, "zone": ZONE})
        connection.execute(PASS, {"to": to})
        return bool(to < turn.marker)


def seen(connection: sa.Connection) -> list[Seen]:
    """Return what came, by campus, sender, door and type. Counts may be some seconds old."""
    return [Seen(**row) for row in connection.execute(ROWS, {"zone": ZONE}).mappings()]


def held_today(connection: sa.Connection) -> dict[tuple[str, str], int]:
    """Return how many messages were held today, by campus and sender."""
    return {(f, s): n for f, s, n in connection.execute(HELD_TODAY, {"zone": ZONE})}


def fitting(rules: RuleSet, facility: str, sender: str, message_type: str, protocol: str) -> list[str]:
    """Return the rules whose condition such messages fit, in file order; `?` behind one that looks into the
    body.
    """
    envelope = Envelope(facility, sender, message_type, protocol)
    written = protocol == PROTOCOL
    mine = [rule for rule in rules.rules if rule.spec.facility == facility and rule.onward == written]
    kinds = [kind.value for kind in Kind] if written else [""]
    contexts = [context_of(RowSource({}, replace(envelope, kind=kind))) for kind in kinds]
    names = (_fit(rule, context, envelope) for rule in mine for context in contexts)
    return list(dict.fromkeys(name for name in names if name is not None))


def _fit(rule: Rule, context: Any, envelope: Envelope) -> str | None:
    if rule.match.reads_fields:
        return f"{rule.spec.name}?" if _possible(rule.spec.match, envelope) else None
    try:
        return rule.spec.name if rule.match.test(context) else None
    except ExpressionError:
        return f"{rule.spec.name}?"


def _possible(match: str, envelope: Envelope) -> bool:
    """Say whether a condition may be true of such messages, as far as type and sender tell."""
    types, senders = _allowed(match, envelope.facility)
    return (types is None or envelope.message_type in types) and (
        senders is None or envelope.sender in senders
    )


@lru_cache(maxsize=4096)
def _allowed(match: str, facility: str) -> tuple[frozenset[str] | None, frozenset[str] | None]:
    condition = read_condition(match, facility)
    return condition.allowed("msg.type"), condition.allowed("msg.sender")
