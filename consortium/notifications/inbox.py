"""What is for somebody in the application: notifications to their account, their duties, or to them as a
patient.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

_ROWS = "SELECT n.id FROM workflow.notification n"


def _mine(which: str) -> str:
    """Return the query of the ids of those that are for the reader: each part by an index of its own."""
    return (
        f"{_ROWS} WHERE n.duty = 'staff' AND n.recipient = :username AND {which}"  # noqa: S608 - constants
        f" UNION {_ROWS} WHERE n.duty = 'patient' AND n.person_id = CAST(:person_id AS uuid) AND {which}"
        " UNION SELECT n.id FROM workflow.duty d JOIN workflow.notification n ON n.facility = d.facility"
        " AND n.duty = d.duty AND d.code IN ('', n.recipient) WHERE d.username = :username"
        " AND d.since <= clock_timestamp() AND (d.until IS NULL OR d.until > clock_timestamp())"
        f" AND {which}"
    )


_WANTED = "n.id < :before AND n.id > :after AND (NOT :unread OR n.read_at IS NULL)"
_PAGE = text(
    "SELECT n.id, n.workflow_id, n.subject, n.subject_id, n.facility, n.duty, n.level, n.template,"  # noqa: S608 - constants
    " n.variables, n.created_at, n.expires_at, n.read_at, n.read_by FROM workflow.notification n"
    f" WHERE n.id IN ({_mine(_WANTED)}) ORDER BY n.id DESC LIMIT :limit"
)
_UNREAD = text(f"SELECT count(*) FROM ({_mine('n.read_at IS NULL')}) AS mine")  # noqa: S608 - constants
_UNREAD_IDS = text(f"{_mine('n.read_at IS NULL')} ORDER BY 1 DESC LIMIT :limit")
_READ = text(
    "UPDATE workflow.notification n SET read_at = coalesce(n.read_at, clock_timestamp()),"  # noqa: S608 - constants
    f" read_by = coalesce(n.read_by, :username) WHERE n.id IN ({_mine('n.id = :id')}) RETURNING n.id"
)
NEWEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads."""

    username: str
    person_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One notification."""

    id: int
    workflow_id: str
    subject: str
    subject_id: UUID
    facility: str
    duty: str
    level: int
    template: str | None
    variables: Mapping[str, Any]
    created_at: datetime
    expires_at: datetime | None
    read_at: datetime | None
    read_by: str | None
    """Of a duty, whoever of those who have it read it first."""


def _values(reader: Reader) -> dict[str, Any]:
    return {"username": reader.username, "person_id": reader.person_id}


def page(
    connection: Connection,
    reader: Reader,
    *,
    unread: bool = False,
    limit: int = 50,
    before: int = NEWEST,
    after: int = 0,
) -> list[Entry]:
    """Return the newest first, those with a number between `after` and `before`."""
    values = _values(reader) | {"unread": unread, "limit": limit, "before": before, "after": after}
    return [Entry(**row) for row in connection.execute(_PAGE, values).mappings()]


def unread(connection: Connection, reader: Reader) -> int:
    """Return how many wait to be read."""
    found: int = connection.execute(_UNREAD, _values(reader)).scalar_one()
    return found


def unread_ids(connection: Connection, reader: Reader, limit: int) -> list[int]:
    """Return the numbers of those that wait to be read, the newest first, `limit` at most."""
    return list(connection.execute(_UNREAD_IDS, _values(reader) | {"limit": limit}).scalars())


def mark_read(connection: Connection, reader: Reader, id_: int) -> bool:
    """Note that it was read, once; False when there is none of that number for the reader."""
    done = connection.execute(_READ, _values(reader) | {"id": id_})
    return done.one_or_none() is not None
