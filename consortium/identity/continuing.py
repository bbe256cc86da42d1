"""Queries that were answered in part: what was asked and how far it was answered, for some minutes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa

LIFETIME = timedelta(minutes=10)
"""After this the rest cannot be asked for: what was asked names a patient, and is not kept for long."""

_SAVE = """
INSERT INTO identity.continuation (owner, query_id, asked, after, shown, expires_at)
VALUES (%(owner)s, %(query_id)s, %(asked)s, %(after)s, %(shown)s, %(expires_at)s)
ON CONFLICT (owner, query_id) DO UPDATE
   SET asked = excluded.asked, after = excluded.after, shown = excluded.shown,
       expires_at = excluded.expires_at
"""
_LOAD = """
SELECT asked, after, shown FROM identity.continuation
 WHERE owner = %(owner)s AND query_id = %(query_id)s AND expires_at > %(now)s FOR UPDATE
"""
_DROP = "DELETE FROM identity.continuation WHERE owner = %(owner)s AND query_id = %(query_id)s"
_EXPIRED = "DELETE FROM identity.continuation WHERE expires_at <= %(now)s"


@dataclass(frozen=True, slots=True)
class Continued:
    """A query that goes on."""

    asked: bytes
    """As it came."""
    after: UUID
    """The last person shown."""
    shown: int


def save(connection: sa.Connection, owner: str, query_id: str, continued: Continued, now: datetime) -> None:
    """Keep where a query goes on; only the account `owner` can go on. What expired is forgotten."""
    connection.exec_driver_sql(_EXPIRED, {"now": now})
    values = {
        "owner": owner,
        "query_id": query_id,
        "asked": continued.asked,
        "after": continued.after,
        "shown": continued.shown,
        "expires_at": now + LIFETIME,
    }
    connection.exec_driver_sql(_SAVE, values)


def load(connection: sa.Connection, owner: str, query_id: str, now: datetime) -> Continued | None:
    """Return where a query goes on; None when it never was, is at its end, or expired."""
    values = {"owner": owner, "query_id": query_id, "now": now}
    row = connection.exec_driver_sql(_LOAD, values).one_or_none()
    return None if row is None else Continued(bytes(row.asked), row.after, row.shown)


def drop(connection: sa.Connection, owner: str, query_id: str) -> bool:
    """Forget a query. Returns whether it was there."""
    values = {"owner": owner, "query_id": query_id}
    return connection.exec_driver_sql(_DROP, values).rowcount == 1
