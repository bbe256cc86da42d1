"""Who is told of changes of master data."""

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
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,60}", re.ASCII)

_PUT = sa.text(
    "INSERT INTO terminology.subscriber AS s (name, kinds, created_by) VALUES (:name, :kinds, :by)"
    " ON CONFLICT (name) DO UPDATE SET kinds = excluded.kinds RETURNING name, kinds, created_by, created_at"
)
_LIST = sa.text("SELECT name, kinds, created_by, created_at FROM terminology.subscriber ORDER BY name")
_OF = sa.text("SELECT name FROM terminology.subscriber WHERE :kind = ANY(kinds) ORDER BY name FOR SHARE")


class BadSubscriptionError(PermanentError):
    """A name or kind that cannot be; the text says what can."""

    code = "bad_subscription"


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A system that is told. Its changes lie in `bus.outbox` under the destination `master-data:<name>`."""

    name: str
    kinds: tuple[str, ...]
    created_by: str
    created_at: datetime

    @property
    def destination(self) -> str:
        """Return where its changes lie."""
        return destination(self.name)


def destination(name: str) -> str:
    """Return the outbox destination of a subscriber."""
    return f"master-data:{name}"


def subscribe(connection: sa.Connection, name: str, kinds: Sequence[str], by: str) -> Subscriber:
    """Register a subscriber, or change what it is told. The same again changes nothing.

    Raises `BadSubscriptionError`.
    """
    if not NAME.fullmatch(name):
        raise BadSubscriptionError("a subscriber's name is of a-z, 0-9 and -, such as main-his")
    unknown = sorted(set(kinds) - set(SUBSCRIBABLE))
    if unknown or not kinds:
        raise BadSubscriptionError(f"subscribe to some of: {', '.join(SUBSCRIBABLE)}")
    values = {"name": name, "kinds": sorted(set(kinds)), "by": by}
    return _subscriber(connection.execute(_PUT, values).mappings().one())


def unsubscribe(connection: sa.Connection, name: str) -> bool:
    """Forget a subscriber; what lies in the outbox for it stays there. False: there was none."""
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


def _subscriber(row: sa.RowMapping) -> Subscriber:
    return Subscriber(row["name"], tuple(row["kinds"]), row["created_by"], row["created_at"])
