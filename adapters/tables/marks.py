"""Watermarks: how far a table was read, as it is saved."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from adapters.tables.rows import Position


@dataclass(frozen=True, slots=True)
class Mark:
    """A watermark to save: whose, and what."""

    poller: str
    value: dict[str, Any]


def position(value: dict[str, Any]) -> Position:
    """Read a position from a watermark's value."""
    return Position(datetime.fromisoformat(value["at"]), value["key"])


def value_of(place: Position) -> dict[str, Any]:
    """Write a position as a watermark's value."""
    return {"at": place.at.isoformat(), "key": place.key}
