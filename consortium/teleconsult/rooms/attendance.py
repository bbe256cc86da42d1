"""Attendance: connections as the video server tells of them, merged into times of presence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

RECONNECT = timedelta(seconds=90)
"""A gap up to this long is a connection that broke, not a person who left."""


@dataclass(frozen=True, slots=True)
class Presence:
    """A time in the room; `until` None: still there."""

    since: datetime
    until: datetime | None


def merge(connections: Iterable[Presence], gap: timedelta = RECONNECT) -> list[Presence]:
    """Return times of presence in order, none nearer to the next than `gap`, whatever order they came in."""
    merged: list[Presence] = []
    for one in sorted(connections, key=lambda presence: presence.since):
        last = merged[-1] if merged else None
        if last is None or (last.until is not None and one.since - last.until > gap):
            merged.append(one)
        else:
            merged[-1] = Presence(last.since, _later(last.until, one.until))
    return merged


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return None if one is None or other is None else max(one, other)


def total(presences: Iterable[Presence], now: datetime) -> timedelta:
    """Return how long somebody was there; `presences` are merged."""
    return sum((max((one.until or now) - one.since, timedelta(0)) for one in presences), timedelta(0))
