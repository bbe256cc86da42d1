"""A row of an open table, and its place in the order in which rows are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Columns = Mapping[str, Any]


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in (watermark, key) order: rows after it have not been read."""

    at: datetime
    key: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One version of one row."""

    key: str
    at: datetime
    """Its watermark column."""
    columns: Columns
    siblings: tuple[Columns, ...] = field(default=())
    """The rows it travels with, itself among them, in key order; empty where its table embeds none."""

    @property
    def position(self) -> Position:
        """Where it stands."""
        return Position(self.at, self.key)


@dataclass(frozen=True, slots=True)
class Last:
    """What the inbox keeps of the last version of a row."""

    body: bytes | None
    """None: retention dropped it."""
    patient_number: str | None
    visit_number: str | None


def version(at: datetime) -> str:
    """Write a watermark so that text order is time order: UTC, microseconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
