"""Which of two statements about the same thing is the newer one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Version:
    """Where a statement stands among others about the same thing."""

    message_id: int
    """Inbox order."""
    source: str | None = None
    """The source's own order, where it has one; see `Provenance.source_version`."""

    def supersedes(self, other: Version) -> bool:
        """Whether this statement may replace what the other said.

        The source's order decides where both have one; else, and between equal ones, inbox order does. A
        statement supersedes itself, so that the same message again comes to the same end.
        """
        if self.source is not None and other.source is not None:
            order = _compare(self.source, other.source)
            if order:
                return order > 0
        return self.message_id >= other.message_id

    def joined(self, other: Version) -> Version:
        """Return the version of what both said together: the newer one's, with a source's order if either
        has one.
        """
        newer, older = (self, other) if self.supersedes(other) else (other, self)
        return newer if newer.source is not None else Version(newer.message_id, older.source)


def _compare(left: str, right: str) -> int:
    """Return below, at or above 0 as left is older, equal or newer: as times, as numbers, else as text."""
    for parse in (_time, _number):
        a, b = parse(left), parse(right)
        if a is not None and b is not None:
            return (a > b) - (a < b)
    return (left > right) - (left < right)


def _time(text: str) -> float | None:
    if not text[:4].isdigit() or "-" not in text:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time.timestamp() if time.tzinfo else None


def _number(text: str) -> float | None:
    return int(text) if text.isascii() and text.isdigit() else None
