"""What the REST uploads are told."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class RestSettings:
    """Limits and the campuses that may send."""

    campuses: frozenset[str]
    """Codes accepted as facility."""
    body_limit: int
    """Largest request body, bytes."""
    keep_limit: int = 64 * 1024
    """How much of a refused request is kept, bytes."""
    read_seconds: float = 60.0
    """How long a client may take to send its request."""

    @classmethod
    def of(cls, settings: Settings) -> RestSettings:
        """Take what concerns this adapter from the platform's settings."""
        return cls(frozenset(campus.code for campus in settings.campuses), settings.body_limit)
