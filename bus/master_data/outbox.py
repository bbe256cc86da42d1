"""Changes of master data into `bus.outbox`, one row for each change and subscriber, in the same transaction.

A delivery process takes them from destination `master-data:<subscriber>` in id order. The dedupe key names
the change, so the same change twice is one row.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from consortium.terminology import subscribers
from consortium.terminology.maps import MapEntry
from consortium.terminology.model import Recorded

_INSERT = sa.text(
    "INSERT INTO bus.outbox (destination, dedupe_key, payload)"
    " SELECT d, k, p FROM unnest(CAST(:keys AS text[]), CAST(:payloads AS jsonb[]))"
    " WITH ORDINALITY AS c (k, p, n) CROSS JOIN unnest(CAST(:destinations AS text[])) AS d ORDER BY n, d"
    " ON CONFLICT (destination, dedupe_key) DO NOTHING"
)


def publish_entries(connection: sa.Connection, kind: str, recorded: Sequence[Recorded]) -> int:
    """Tell the subscribers of a kind of versions that were recorded; returns how many rows were written."""
    changes = [(f"entry:{one.id}", entry_payload(one)) for one in recorded]
    return _publish(connection, kind, changes)


def publish_map(connection: sa.Connection, entry: MapEntry) -> int:
    """Tell the subscribers of code maps of an addition."""
    payload = {
        "kind": subscribers.CODE_MAP,
        "table": entry.code_table,
        "facility": entry.facility,
        "code": entry.code,
        "target": entry.target,
        "name": entry.name,
        "system": entry.system,
        "at": entry.mapped_at.isoformat(),
    }
    return _publish(connection, subscribers.CODE_MAP, [(f"map:{entry.id}", payload)])


def entry_payload(one: Recorded) -> dict[str, Any]:
    """Return what a subscriber is told of a version: the whole of it, for master data names no patient."""
    entry = one.entry
    return {
        "kind": entry.kind.value,
        "owner": entry.owner,
        "code": entry.code,
        "name": entry.name,
        "valid_from": entry.valid_from.isoformat(),
        "valid_to": entry.valid_to.isoformat() if entry.valid_to else None,
        "attributes": dict(entry.attributes),
        "version": one.version,
        "at": one.recorded_at.isoformat(),
    }


def _publish(connection: sa.Connection, kind: str, changes: Sequence[tuple[str, dict[str, Any]]]) -> int:
    names = subscribers.names(connection, kind)
    if not names or not changes:
        return 0
    values = {
        "keys": [key for key, _ in changes],
        "payloads": [json.dumps(payload, ensure_ascii=False) for _, payload in changes],
        "destinations": [subscribers.destination(name) for name in names],
    }
    return connection.execute(_INSERT, values).rowcount
