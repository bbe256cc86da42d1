"""Personal addresses of iCalendar feeds: signed, revocable, and worth no more than what their owner may see.

Calendar programs cannot sign in, so whoever knows an address reads the feed. It names a row that its owner
can revoke, and carries a signature by a key of its own, so that addresses cannot be guessed or made from the
database alone.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa

from consortium.scheduling import rows
from consortium.scheduling.ical import Entry
from consortium.scheduling.model import Resource

_PURPOSE = b"yilian calendar feed"
_ISSUE = sa.text(
    "INSERT INTO scheduling.feed (id, username, resource_id) VALUES (:id, :username, :resource)"
    " ON CONFLICT DO NOTHING"
)
_OWN = sa.text(
    "SELECT id, username, resource_id FROM scheduling.feed WHERE username = :username"
    " AND resource_id IS NOT DISTINCT FROM CAST(:resource AS uuid) AND revoked_at IS NULL"
)
_REVOKE = sa.text(
    "UPDATE scheduling.feed SET revoked_at = clock_timestamp()"
    " WHERE id = :id AND username = :username AND revoked_at IS NULL"
)
_OPEN = sa.text("SELECT id, username, resource_id FROM scheduling.feed WHERE id = :id AND revoked_at IS NULL")


@dataclass(frozen=True, slots=True)
class Feed:
    """An address that was given to a user."""

    id: UUID
    username: str
    resource: UUID | None
    """Whose calendar it gives; None: the user's own."""


def issue(connection: sa.Connection, username: str, resource: UUID | None) -> Feed:
    """Give a user the address of a resource's calendar, or of their own; the same again is the same one."""
    values = {"username": username, "resource": resource}
    connection.execute(_ISSUE, {**values, "id": uuid4()})
    return _feed(connection.execute(_OWN, values).one())


def revoke(connection: sa.Connection, id_: UUID, username: str) -> bool:
    """Make a user's address worthless. False: it is none of theirs, or was revoked."""
    return connection.execute(_REVOKE, {"id": id_, "username": username}).rowcount > 0


def opened(connection: sa.Connection, token: str, key: str) -> Feed | None:
    """Return the feed of an address's token; None where the signature is wrong or it was revoked."""
    name, _, signature = token.partition(".")
    try:
        id_ = UUID(hex=name)
    except ValueError:
        return None
    if not hmac.compare_digest(signature.encode(), _signature(id_, key).encode()):
        return None
    row = connection.execute(_OPEN, {"id": id_}).one_or_none()
    return None if row is None else _feed(row)


def token(feed: Feed, key: str) -> str:
    """Return what the address ends with, signed by a key derived from the platform's."""
    return f"{feed.id.hex}.{_signature(feed.id, key)}"


def entries(connection: sa.Connection, resource: Resource, since: datetime, until: datetime) -> list[Entry]:
    """Return what is held or booked of a resource in a time, the earliest first."""
    found = rows.of_resource(connection, resource.id, since, until)
    return [Entry(booking, resource) for booking in found]


def _signature(id_: UUID, key: str) -> str:
    derived = hmac.digest(key.encode(), _PURPOSE, hashlib.sha256)
    return base64.urlsafe_b64encode(hmac.digest(derived, id_.bytes, hashlib.sha256)).rstrip(b"=").decode()


def _feed(row: sa.Row[Any]) -> Feed:
    return Feed(row.id, row.username, row.resource_id)
