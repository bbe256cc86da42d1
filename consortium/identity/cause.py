"""Why links move: a message, or a person's decision."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from consortium.records.model import Provenance


@dataclass(frozen=True, slots=True)
class Cause:
    """Why links move."""

    at: datetime
    message_id: int | None = None
    by_user: str | None = None
    reason: str | None = None

    @staticmethod
    def of(provenance: Provenance) -> Cause:
        """Return the cause that a message is."""
        return Cause(provenance.received_at, provenance.message_id)
