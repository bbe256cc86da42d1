"""The gateways (网关) on campuses' front machines, as they last told of themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

GATEWAYS = sa.text(
    "SELECT name, campuses, last_seen, last_message, spooled, oldest_seconds, detail,"
    " extract(epoch FROM clock_timestamp() - last_seen)::float8 AS silent FROM bus.gateway ORDER BY name"
)


@dataclass(frozen=True, slots=True)
class Gateway:
    """One gateway."""

    name: str
    campuses: Sequence[str]
    """Whom it may speak for."""
    last_seen: datetime
    silent_seconds: float
    """Since its last sign of life."""
    last_message: datetime | None
    spooled: int
    """Messages there that are not here yet, as it said at `last_seen`."""
    oldest_seconds: float
    """How long the oldest of them has waited by now."""
    full: str
    """Why it takes nothing from its campus at present; empty: it does."""
    version: str
    doors: Mapping[str, Any]
    """What each local way in has counted."""


def gateways(connection: sa.Connection) -> list[Gateway]:
    """Return every gateway that ever called."""
    return [_gateway(row) for row in connection.execute(GATEWAYS)]


def _gateway(row: Any) -> Gateway:
    return Gateway(
        name=row.name,
        campuses=list(row.campuses),
        last_seen=row.last_seen,
        silent_seconds=row.silent,
        last_message=row.last_message,
        spooled=row.spooled,
        oldest_seconds=row.oldest_seconds + row.silent if row.spooled else 0.0,
        full=row.detail.get("full", ""),
        version=row.detail.get("version", ""),
        doors=row.detail.get("doors", {}),
    )
