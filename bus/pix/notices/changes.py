"""Reading the ledger past a cursor without passing over what is committed late.

Ids are given before the commit, so a row with a smaller id may come to light after one with a larger. What is
there is noted with the newest transaction of that moment, and read once every transaction up to it has ended.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Any
from uuid import UUID

import sqlalchemy as sa

POLLER = "pix-notices"
MOST = 500
"""Changes in one transaction."""

_STANDS = sa.text("SELECT value FROM bus.watermark WHERE poller = :poller")
_LOCKED = sa.text("SELECT value FROM bus.watermark WHERE poller = :poller FOR UPDATE")
_BEGIN = sa.text(
    "INSERT INTO bus.watermark (poller, value) VALUES (:poller, CAST(:value AS jsonb))"
    " ON CONFLICT (poller) DO NOTHING"
)
_SAVE = sa.text(
    "UPDATE bus.watermark SET value = CAST(:value AS jsonb), at = clock_timestamp() WHERE poller = :poller"
)
_NOW = sa.text(
    "SELECT coalesce((SELECT max(id) FROM identity.ledger), 0) AS links,"
    " coalesce((SELECT max(id) FROM identity.retirement), 0) AS retirements,"
    " pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS oldest,"
    " pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS newest"
)
_LINKS = sa.text(
    "SELECT l.id, l.source_patient_id, l.from_person, l.to_person, l.message_id, s.facility, s.number,"
    " t.number AS survivor"
    " FROM identity.ledger l JOIN identity.source_patient s ON s.id = l.source_patient_id"
    " LEFT JOIN identity.source_patient t ON t.id = s.merged_into"
    " WHERE l.id > :after AND l.id <= :upto ORDER BY l.id LIMIT :most"
)
_RETIREMENTS = sa.text(
    "SELECT r.id, r.source_patient_id, NULL::uuid AS from_person, l.person_id AS to_person, r.message_id,"
    " s.facility, s.number, NULL::text AS survivor"
    " FROM identity.retirement r JOIN identity.source_patient s ON s.id = r.source_patient_id"
    " JOIN identity.link l ON l.source_patient_id = s.id"
    " WHERE r.id > :after AND r.id <= :upto ORDER BY r.id LIMIT :most"
)


@dataclass(frozen=True, slots=True)
class Change:
    """A number that moved between people, or was retired or brought back."""

    source_patient_id: int
    facility: str
    number: str
    from_person: UUID | None
    to_person: UUID
    message_id: int | None
    survivor: str | None
    """The number that stands for it now."""
    before: bool
    """Whether it had a link before: False for a number that is registered."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """What was read, and what may be read once every transaction up to `horizon` has ended."""

    links: int
    retirements: int
    links_upto: int
    retirements_upto: int
    horizon: int

    @property
    def done(self) -> bool:
        """Whether everything that was noted is read."""
        return self.links == self.links_upto and self.retirements == self.retirements_upto


def idle(connection: sa.Connection) -> bool:
    """Whether nothing is new, without a write: what is asked every second."""
    row = connection.execute(_STANDS, {"poller": POLLER}).one_or_none()
    if row is None:
        return False
    cursor, now = Cursor(**row.value), connection.execute(_NOW).one()
    return cursor.done and (now.links, now.retirements) == (cursor.links, cursor.retirements)


def locked(connection: sa.Connection) -> Cursor:
    """Return the cursor and hold it for this transaction; the first time it stands at what is there now."""
    row = connection.execute(_LOCKED, {"poller": POLLER}).one_or_none()
    if row is None:
        now = connection.execute(_NOW).one()
        first = Cursor(now.links, now.retirements, now.links, now.retirements, now.newest)
        connection.execute(_BEGIN, {"poller": POLLER, "value": _json(first)})
        row = connection.execute(_LOCKED, {"poller": POLLER}).one()
    return Cursor(**row.value)


def settled(connection: sa.Connection, cursor: Cursor) -> tuple[list[Change], Cursor]:
    """Return the changes that are read now, and the cursor behind them."""
    now = connection.execute(_NOW).one()
    found: list[Change] = []
    if not cursor.done and now.oldest >= cursor.horizon:
        links = _read(connection, _LINKS, cursor.links, cursor.links_upto)
        retirements = _read(connection, _RETIREMENTS, cursor.retirements, cursor.retirements_upto)
        found = [_change(row, row.from_person is not None) for row in links]
        found += [_change(row, True) for row in retirements]
        cursor = replace(
            cursor,
            links=cursor.links_upto if len(links) < MOST else links[-1].id,
            retirements=cursor.retirements_upto if len(retirements) < MOST else retirements[-1].id,
        )
    if cursor.done:
        upto = {"links_upto": now.links, "retirements_upto": now.retirements}
        if (now.links, now.retirements) != (cursor.links, cursor.retirements):
            cursor = replace(cursor, **upto, horizon=now.newest)
    return found, cursor


def save(connection: sa.Connection, cursor: Cursor) -> None:
    """Keep the cursor."""
    connection.execute(_SAVE, {"poller": POLLER, "value": _json(cursor)})


def _json(cursor: Cursor) -> str:
    return json.dumps(asdict(cursor))


def _read(connection: sa.Connection, query: sa.TextClause, after: int, upto: int) -> list[Any]:
    return list(connection.execute(query, {"after": after, "upto": upto, "most": MOST}))


def _change(row: Any, before: bool) -> Change:
    return Change(
        row.source_patient_id,
        row.facility,
        row.number,
        row.from_person,
        row.to_person,
        row.message_id,
        row.survivor,
        before,
    )
