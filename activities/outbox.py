"""Events for workflows, written in the transaction of what they tell; the dispatcher delivers them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, text

_WRITE = text(
    "INSERT INTO bus.outbox (destination, dedupe_key, payload)"
    " VALUES ('workflow', :key, CAST(:payload AS jsonb)) ON CONFLICT (destination, dedupe_key) DO NOTHING"
)


def tell(connection: Connection, key: str, payload: Mapping[str, Any]) -> None:
    """Write an event, once by its key; which workflow it is for, `activities.starts` says."""
    connection.execute(_WRITE, {"key": key, "payload": json.dumps(dict(payload))})
