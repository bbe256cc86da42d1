"""The systems of the campuses: who sends what by which way, since when, how much, and when last.

The table is counted on as messages come, never by reading the inbox anew. See migration 0008 for the marker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

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
    " FROM bus.system WHERE CAST(:facility AS text) IS NULL OR facility = :facility"
    " ORDER BY facility, sender, protocol, endpoint, message_type"
)
HELD_TODAY = sa.text(
    "SELECT i.facility, i.sender, count(*) FROM bus.held h JOIN bus.inbox i ON i.id = h.message_id"
    " WHERE h.held_at >= date_trunc('day', clock_timestamp() AT TIME ZONE :zone) AT TIME ZONE :zone"
    " GROUP BY 1, 2"
)


@dataclass(frozen=True, slots=True)
class System:
    """One system: a campus's sending application."""

    facility: str
    sender: str
    endpoints: Sequence[str]
    """As `mllp` or `rest /api/v1/upload/HP/patient`: protocol and, where it has another name, endpoint."""
    message_types: Mapping[str, int]
    """How many messages of each type since it was first seen."""
    first_seen: datetime
    last_seen: datetime
    today: int
    held_today: int
    rules: Sequence[str]
    """Rules whose condition its messages fit; `?` behind one that looks into the body."""
    silent: bool
    """Whether nothing came for longer than its campus may be silent."""


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


def systems(
    connection: sa.Connection,
    rules: RuleSet,
    patience: Mapping[str, float],
    facility: str | None = None,
) -> list[System]:
    """Return the systems seen. `patience`: seconds of silence by campus that mean nothing."""
    held = {(f, s): n for f, s, n in connection.execute(HELD_TODAY, {"zone": ZONE})}
    rows: dict[tuple[str, str], list[Any]] = {}
    for row in connection.execute(ROWS, {"facility": facility, "zone": ZONE}):
        rows.setdefault((row.facility, row.sender), []).append(row)
    return [_system(key, group, held.get(key, 0), rules, patience) for key, group in rows.items()]


def _system(
    key: tuple[str, str], rows: Sequence[Any], held: int, rules: RuleSet, patience: Mapping[str, float]
) -> System:
    types: dict[str, int] = {}
    for row in rows:
        types[row.message_type] = types.get(row.message_type, 0) + row.messages
    ways = {r.protocol if r.endpoint == r.protocol else f"{r.protocol} {r.endpoint}" for r in rows}
    fitting = dict.fromkeys(name for row in rows for name in _fitting(rules, row))
    return System(
        facility=key[0],
        sender=key[1],
        endpoints=sorted(ways),
        message_types=types,
        first_seen=min(row.first_seen for row in rows),
        last_seen=max(row.last_seen for row in rows),
        today=sum(row.today for row in rows),
        held_today=held,
        rules=list(fitting),
        silent=min(row.age for row in rows) > patience.get(key[0], float("inf")),
    )


def _fitting(rules: RuleSet, row: Any) -> list[str]:
    envelope = Envelope(row.facility, row.sender, row.message_type, row.protocol)
    written = row.protocol == PROTOCOL
    mine = [rule for rule in rules.rules if rule.spec.facility == row.facility and rule.onward == written]
    kinds = [kind.value for kind in Kind] if written else [""]
    contexts = [context_of(RowSource({}, replace(envelope, kind=kind))) for kind in kinds]
    names = (_fit(rule, context) for rule in mine for context in contexts)
    return list(dict.fromkeys(name for name in names if name is not None))


def _fit(rule: Rule, context: Any) -> str | None:
    if rule.match.reads_fields:
        return f"{rule.spec.name}?"
    try:
        return rule.spec.name if rule.match.test(context) else None
    except ExpressionError:
        return f"{rule.spec.name}?"
