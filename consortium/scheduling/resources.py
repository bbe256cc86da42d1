"""Resources, the slots that they offer, and which of those are free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa

from consortium.scheduling import rows
from consortium.scheduling.errors import OverlapError, StateError, UnknownError, at
from consortium.scheduling.model import Kind, Offer, Resource, Slot

MOST = 500
"""Slots in an answer."""

_RESOURCE = "SELECT id, organisation, kind, name, username FROM scheduling.resource"
_PUT = sa.text(
    "INSERT INTO scheduling.resource (id, organisation, kind, name, username, created_by)"
    " VALUES (:id, :organisation, :kind, :name, :username, :by)"
    " ON CONFLICT (organisation, kind, name) DO NOTHING"
)
_NAMED = sa.text(f"{_RESOURCE} WHERE organisation = :organisation AND kind = :kind AND name = :name")
_ONE = sa.text(f"{_RESOURCE} WHERE id = :id")
_OF_USER = sa.text(f"{_RESOURCE} WHERE username = :username")
_LIST = sa.text(
    f"{_RESOURCE} WHERE (CAST(:organisation AS text) IS NULL OR organisation = :organisation)"
    " AND (CAST(:kind AS text) IS NULL OR kind = :kind) ORDER BY organisation, kind, name"
)
_ACCOUNT = sa.text("SELECT 1 FROM access.account WHERE username = :username")
_LOCK = sa.text("SELECT id FROM scheduling.resource WHERE id = :id FOR NO KEY UPDATE")
_PUBLISH = sa.text(
    "INSERT INTO scheduling.slot (id, resource_id, during, published_by)"
    " VALUES (:id, :resource, tstzrange(:start, :end), :by) ON CONFLICT DO NOTHING"
)
_AT = sa.text(
    "SELECT id, resource_id, lower(during) AS start, upper(during) AS end_ FROM scheduling.slot"
    " WHERE resource_id = :resource AND withdrawn_at IS NULL AND during && tstzrange(:start, :end)"
    " ORDER BY during LIMIT 1"
)
_WITHDRAW = sa.text(
    "UPDATE scheduling.slot SET withdrawn_at = clock_timestamp(), withdrawn_by = :by"
    " WHERE id = :slot AND withdrawn_at IS NULL"
)
_PERIOD = "tstzrange(CAST(:start AS timestamptz), CAST(:end AS timestamptz))"
_OFFERED = sa.text(
    "SELECT * FROM (SELECT s.id, s.resource_id, lower(s.during) AS start, upper(s.during) AS end_,"  # noqa: S608 - a constant
    f" COALESCE(b.state, CASE WHEN {rows.ABSENT} THEN 'absent' ELSE 'free' END) AS state,"
    " CASE WHEN b.state = 'held' THEN b.held_until END AS held_until"
    " FROM scheduling.slot s JOIN scheduling.resource r ON r.id = s.resource_id"
    " LEFT JOIN scheduling.booking b ON b.resource_id = s.resource_id AND b.during && s.during"
    " AND b.state IN ('held', 'confirmed') AND (b.state = 'confirmed' OR b.held_until > clock_timestamp())"
    " WHERE s.withdrawn_at IS NULL AND (:past OR upper(s.during) > clock_timestamp())"
    f" AND s.during && {_PERIOD} AND (NOT :begins OR lower(s.during) <@ {_PERIOD})"
    " AND (CAST(:slot AS uuid) IS NULL OR s.id = :slot)"
    " AND (CAST(:resource AS uuid) IS NULL OR s.resource_id = :resource)"
    " AND (CAST(:organisation AS text) IS NULL OR r.organisation = :organisation)"
    " AND (CAST(:kind AS text) IS NULL OR r.kind = :kind)"
    " AND (CAST(:after AS uuid) IS NULL OR (lower(s.during), s.id) >"
    " (SELECT lower(c.during), c.id FROM scheduling.slot c WHERE c.id = :after))) AS offered"
    " WHERE CAST(:states AS text[]) IS NULL OR state = ANY(:states) ORDER BY start, id LIMIT :limit"
)


@dataclass(frozen=True, slots=True)
class Search:
    """Which slots, those that have some time from `start` until `end` (with zone; None: whenever)."""

    start: datetime | None = None
    end: datetime | None = None
    resource: UUID | None = None
    organisation: str | None = None
    kind: Kind | None = None
    states: tuple[Offer, ...] | None = ("free",)
    """By default those alone that may be held now; None: in every state."""
    slot: UUID | None = None
    """This one alone."""
    begins: bool = False
    """Those alone that begin in that time."""
    past: bool = False
    """Those too that are over."""
    after: UUID | None = None
    """Those that come later than this slot: the last of the page before."""
    limit: int = MOST


def add(
    connection: sa.Connection,
    organisation: str,
    kind: Kind,
    name: str,
    *,
    by: str,
    username: str | None = None,
) -> Resource:
    """Register a resource; the same again gives the one there is.

    Raises UnknownError for a user who is none, StateError where the name or the user belongs to another one.
    """
    if username is not None and connection.execute(_ACCOUNT, {"username": username}).first() is None:
        raise UnknownError(f"there is no user {username}")
    wanted = {"organisation": organisation, "kind": kind, "name": name, "username": username}
    if username and (theirs := of_user(connection, username)):
        if (theirs.organisation, theirs.kind, theirs.name) == (organisation, kind, name):
            return theirs
        raise StateError(
            f"{username} has a calendar already: {theirs.kind} {theirs.name} of {theirs.organisation};"
            " somebody who works in two places has one, or would be in both at once",
            {"resource": str(theirs.id)},
            zh=f"{username} 已有日历：{theirs.organisation} {theirs.name}；一人只能有一份日历",
        )
    connection.execute(_PUT, {**wanted, "id": uuid4(), "by": by})
    found = _resource(connection.execute(_NAMED, wanted).mappings().one())
    if found.username != username:
        raise StateError(
            f"{kind} {name} of {organisation} is there, and belongs to somebody else",
            {"resource": str(found.id)},
            zh=f"{organisation} 已有同名资源 {name}，属于其他人员",
        )
    return found


def get(connection: sa.Connection, id_: UUID) -> Resource:
    """Return a resource. Raises UnknownError."""
    row = connection.execute(_ONE, {"id": id_}).mappings().one_or_none()
    if row is None:
        raise UnknownError("there is no such resource")
    return _resource(row)


def of_user(connection: sa.Connection, username: str) -> Resource | None:
    """Return whose time is that of a user."""
    row = connection.execute(_OF_USER, {"username": username}).mappings().one_or_none()
    return None if row is None else _resource(row)


def listed(
    connection: sa.Connection, *, organisation: str | None = None, kind: Kind | None = None
) -> list[Resource]:
    """Return resources by organisation, kind and name."""
    wanted = {"organisation": organisation, "kind": kind}
    return [_resource(row) for row in connection.execute(_LIST, wanted).mappings()]


def publish(
    connection: sa.Connection, resource: UUID, times: Sequence[tuple[datetime, datetime]], *, by: str
) -> list[Slot]:
    """Offer times, each from its start until just before its end; what is offered already is given back.

    Raises OverlapError where one overlaps another slot, UnknownError; ValueError for a time without zone or
    length.
    """
    for start, end in times:
        if start.tzinfo is None or end.tzinfo is None or end <= start:
            raise ValueError("a slot has a start and a later end, both with a zone")
    if connection.execute(_LOCK, {"id": resource}).first() is None:
        raise UnknownError("there is no such resource")
    return [_published(connection, resource, start, end, by) for start, end in times]


def withdraw(connection: sa.Connection, slot: UUID, *, by: str) -> None:
    """Offer a slot no more. Raises StateError while somebody has it, UnknownError."""
    resource = rows.slots(connection, [slot])[slot].resource
    connection.execute(_LOCK, {"id": resource})
    taking = rows.taking(connection, slot)
    if taking and rows.standing(connection, taking.id):
        raise StateError(
            f"the slot is {taking.state}; move or release the booking first",
            {"state": taking.state, "held_until": at(taking.held_until)},
            zh="该时段已被预约；请先改期或释放",
        )
    connection.execute(_WITHDRAW, {"slot": slot, "by": by})


def offered(connection: sa.Connection, search: Search) -> list[Slot]:
    """Return published slots, the earliest first, and how each stands."""
    wanted = {name: getattr(search, name) for name in Search.__dataclass_fields__}
    wanted["states"] = None if search.states is None else list(search.states)
    return [
        Slot(row["id"], row["resource_id"], row["start"], row["end_"], row["state"], row["held_until"])
        for row in connection.execute(_OFFERED, wanted).mappings()
    ]


def _published(connection: sa.Connection, resource: UUID, start: datetime, end: datetime, by: str) -> Slot:
    values: Mapping[str, Any] = {"resource": resource, "start": start, "end": end}
    connection.execute(_PUBLISH, {**values, "id": uuid4(), "by": by})
    row = connection.execute(_AT, values).mappings().one()
    if (row["start"], row["end_"]) != (start, end):
        raise OverlapError(
            f"{at(start)} overlaps a slot that is offered already",
            {"slot": str(row["id"]), "start": at(row["start"]), "end": at(row["end_"])},
            zh="与已发布的时段重叠",
        )
    return Slot(row["id"], row["resource_id"], row["start"], row["end_"])


def _resource(row: sa.RowMapping) -> Resource:
    return Resource(row["id"], row["organisation"], row["kind"], row["name"], row["username"])
