"""Who is told of changes of master data, and by which destination."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from consortium.errors import PermanentError
from consortium.terminology.model import Kind

CODE_MAP = "code-map"
"""Subscribed like a kind: additions to the code tables."""
SUBSCRIBABLE = (*(kind.value for kind in Kind), CODE_MAP)
"""In the order in which what refers to others is told after them."""
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,60}", re.ASCII)

_COLUMNS = "name, kinds, destination, created_by, created_at"
_PUT = sa.text(
    "INSERT INTO terminology.subscriber AS s (name, kinds, destination, created_by)"  # noqa: S608 - a constant
    " VALUES (:name, :kinds, :destination, :by) ON CONFLICT (name)"
    f" DO UPDATE SET kinds = excluded.kinds, destination = excluded.destination RETURNING {_COLUMNS}"
)
_LIST = sa.text(f"SELECT {_COLUMNS} FROM terminology.subscriber ORDER BY name")  # noqa: S608 - a constant
_OF = sa.text("SELECT name FROM terminology.subscriber WHERE :kind = ANY(kinds) ORDER BY name FOR SHARE")
_ALONE = sa.text(
    f"SELECT {_COLUMNS} FROM terminology.subscriber WHERE name = :name FOR UPDATE SKIP LOCKED"  # noqa: S608 - a constant
)


class BadSubscriptionError(PermanentError):
    """A name, kind or destination that cannot be; the text says what can."""

    code = "bad_subscription"


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A system that is told. Until they are sent, its changes lie in `bus.outbox` under `lying`."""

    name: str
    kinds: tuple[str, ...]
    destination: str
    """Name of a file of `rules/destinations`."""
    created_by: str
    created_at: datetime

    @property
    def lying(self) -> str:
        """Return under which destination of `bus.outbox` its changes lie."""
        return lying(self.name)


def lying(name: str) -> str:
    """Return under which destination of `bus.outbox` a subscriber's changes lie."""
    return f"master-data:{name}"


def subscribe(
    connection: sa.Connection, name: str, kinds: Sequence[str], by: str, *, destination: str | None = None
) -> Subscriber:
    """Register a subscriber, or change what it is told and how. The same again changes nothing.

    `destination`: by default the one of its own name. Raises `BadSubscriptionError`.
    """
    destination = destination or name
    if not NAME.fullmatch(name) or not NAME.fullmatch(destination):
        raise BadSubscriptionError(
            "names of subscribers and destinations are of a-z, 0-9 and -, such as main-his",
            zh="订阅方和目的系统的名称由 a-z、0-9 和 - 组成，如 main-his",
        )
    unknown = sorted(set(kinds) - set(SUBSCRIBABLE))
    if unknown or not kinds:
        known = ", ".join(SUBSCRIBABLE)
        raise BadSubscriptionError(f"subscribe to some of: {known}", zh=f"可订阅的种类：{known}")
    values = {"name": name, "kinds": sorted(set(kinds)), "destination": destination, "by": by}
    return _subscriber(connection.execute(_PUT, values).mappings().one())


def unsubscribe(connection: sa.Connection, name: str) -> bool:
    """Forget a subscriber. False: there was none."""
    deleted = connection.execute(
        sa.text("DELETE FROM terminology.subscriber WHERE name = :name"), {"name": name}
    )
    return deleted.rowcount > 0


def listed(connection: sa.Connection) -> list[Subscriber]:
    """Return every subscriber."""
    return [_subscriber(row) for row in connection.execute(_LIST).mappings()]


def names(connection: sa.Connection, kind: str) -> list[str]:
    """Return who is told of a kind, and keep them from leaving before the transaction ends."""
    return list(connection.execute(_OF, {"kind": kind}).scalars())


def alone(connection: sa.Connection, name: str) -> Subscriber | None:
    """Return a subscriber of whom no other transaction writes at this moment, and let none begin before the
    caller's ends: so every change with an earlier number is committed. None: one does, or it has left.
    """
    row = connection.execute(_ALONE, {"name": name}).mappings().one_or_none()
    return None if row is None else _subscriber(row)


def _subscriber(row: sa.RowMapping) -> Subscriber:
    return Subscriber(
        row["name"], tuple(row["kinds"]), row["destination"], row["created_by"], row["created_at"]
    )
