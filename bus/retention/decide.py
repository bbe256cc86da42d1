"""What may go: decisions on plain dates, without a database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Asia/Shanghai")
"""Days are China's."""
AHEAD = 7
"""Days for which a partition is made before they come."""
MOST_SPARED = 256 * 1024 * 1024
"""Bytes of bodies of unfinished messages that are moved out of a partition under its lock; with more, the
whole partition stays until they are worked off."""


@dataclass(frozen=True, slots=True)
class Keep:
    """Days for which things are kept; 0: for ever. The audit is kept for ever in any case."""

    bodies: int = 90
    """Raw bytes, what was sent to other systems, their answers, the bytes of refusals."""
    traces: int = 365
    """Each step of a message."""
    index: int = 1095
    """Index rows by which messages are found and duplicates recognised, refusals and their reasons."""

    def before(self, days: int, now: datetime) -> datetime | None:
        """Return the time before which something kept for so many days goes: the beginning of a day."""
        return None if days == 0 else beginning(today(now) - timedelta(days=days))


@dataclass(frozen=True, slots=True)
class Partition:
    """The bodies of one day, as they lie on the disk."""

    day: date
    bodies: int
    """Nearly: as the planner counts them."""
    bytes: int
    """With index and out-of-line parts, and with what was sent of the deliveries queued on it."""


def today(now: datetime) -> date:
    """Return the day that it is in China."""
    return now.astimezone(ZONE).date()


def beginning(day: date) -> datetime:
    """Return when a day begins in China."""
    return datetime.combine(day, time(), ZONE)


def to_make(known: Sequence[date], now: datetime) -> list[date]:
    """Return the days that need a partition: this one and the next `AHEAD`."""
    wanted = [today(now) + timedelta(days=ahead) for ahead in range(AHEAD + 1)]
    return [day for day in wanted if day not in set(known)]


def due(partitions: Sequence[Partition], keep: Keep, now: datetime) -> list[Partition]:
    """Return the partitions whose last body is older than bodies are kept, the oldest first."""
    before = keep.before(keep.bodies, now)
    if before is None:
        return []
    old = [one for one in partitions if beginning(one.day + timedelta(days=1)) <= before]
    return sorted(old, key=lambda one: one.day)
