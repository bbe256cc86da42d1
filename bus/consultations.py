"""What happened in a consultation's room, into `bus.outbox` for its workflow, in the caller's transaction."""

from __future__ import annotations

import json
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

_TELL = text(
    "INSERT INTO bus.outbox (destination, dedupe_key, payload)"
    " VALUES ('workflow', :key, CAST(:payload AS jsonb)) ON CONFLICT (destination, dedupe_key) DO NOTHING"
)


def tell_video(
    connection: Connection,
    event_id: str,
    kind: str,
    consultation: UUID,
    participant: UUID | None,
    at: datetime,
) -> None:
    """Hand an event of the video server on, known by its id; it is delivered as the signal `video`."""
    payload = {
        "kind": kind,
        "consultation_id": str(consultation),
        "participant_id": str(participant) if participant else None,
        "at": at.isoformat(),
    }
    connection.execute(_TELL, {"key": f"consultation-video:{event_id}", "payload": json.dumps(payload)})
