"""Changes of master data into `bus.outbox`, one row for each change and subscriber, in the same transaction.

`bus.master_data.telling` takes them from destination `master-data:<subscriber>` in id order and queues their
delivery. The dedupe key names the change, so the same change twice is one row.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import sqlalchemy as sa

from bus.rules.codes import EQUIVALENT
from consortium.terminology import maps, store, subscribers
from consortium.terminology.maps import MapEntry
from consortium.terminology.model import Kind, Recorded
from consortium.terminology.subscribers import Subscriber

_INSERT = sa.text(
    "INSERT INTO bus.outbox (destination, dedupe_key, payload)"
    " SELECT d, k, p FROM unnest(CAST(:keys AS text[]), CAST(:payloads AS jsonb[]))"
    " WITH ORDINALITY AS c (k, p, n) CROSS JOIN unnest(CAST(:destinations AS text[])) AS d ORDER BY n, d"
    " ON CONFLICT (destination, dedupe_key) DO NOTHING"
)
_LEFT_OUT = sa.text(
    "DELETE FROM bus.outbox WHERE destination = :destination AND delivered_at IS NULL"
    " AND payload ->> 'kind' <> ALL(:kinds)"
)
_FORGET = sa.text("DELETE FROM bus.outbox WHERE destination = :destination")
PROTOCOL = "master-data"
"""Of the messages that tell subscribers."""
MESSAGE_TYPE = "json:master-data:"
"""What the type of the message begins with that tells a subscriber; the kind follows."""
BATCH = 1000
"""Changes in one statement."""

Change = tuple[str, dict[str, Any]]
"""Dedupe key and payload."""


def publish_entries(connection: sa.Connection, kind: str, recorded: Sequence[Recorded]) -> int:
    """Tell the subscribers of a kind of versions that were recorded; returns how many rows were written."""
    return _publish(connection, kind, [_entry_change(one) for one in recorded])


def publish_map(connection: sa.Connection, entry: MapEntry) -> int:
    """Tell the subscribers of code maps of an addition; returns how many rows were written."""
    return _publish(connection, subscribers.CODE_MAP, [_map_change(entry)])


def publish_present(connection: sa.Connection, name: str, kinds: Sequence[str]) -> int:
    """Tell who subscribes in this transaction what there is already; the same again writes nothing.

    Called before the subscriber is written: what it waits for here, who changes something takes first, too,
    so that nobody waits in a circle. What refers to others comes after them. It is read and written in
    batches, however much there is. Returns how many rows were written. Raises `BusyError`.
    """
    wanted = [kind for kind in subscribers.SUBSCRIBABLE if kind in kinds]
    return sum(_insert(connection, _present(connection, kind), [subscribers.lying(name)]) for kind in wanted)


def leave_out(connection: sa.Connection, one: Subscriber) -> None:
    """Take away what waits for a subscriber of kinds that it is told no more."""
    connection.execute(_LEFT_OUT, {"destination": one.lying, "kinds": list(one.kinds)})


def forget(connection: sa.Connection, name: str) -> None:
    """Take away what waits for a subscriber that leaves, and what it was told: who comes again begins
    anew.
    """
    connection.execute(_FORGET, {"destination": subscribers.lying(name)})


def _present(connection: sa.Connection, kind: str) -> Iterator[Change]:
    """Give what there is of a kind. Who changes it meanwhile does not see the subscriber yet, and is waited
    for; who begins to later sees it.
    """
    if kind == subscribers.CODE_MAP:
        maps.wait_for_batches(connection)
        return map(_map_change, maps.current(connection))
    store.lock(connection)
    return map(_entry_change, store.each_period(connection, Kind(kind)))


def _entry_change(one: Recorded) -> Change:
    """The whole of it is told, for master data names no patient."""
    entry = one.entry
    payload = {
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
    return f"entry:{one.id}", payload


def _map_change(entry: MapEntry) -> Change:
    payload = {
        "kind": subscribers.CODE_MAP,
        "table": entry.code_table,
        "facility": entry.facility,
        "code": entry.code,
        "target": entry.target,
        "name": entry.name,
        "system": entry.system,
        "valid_from": entry.valid_from.isoformat() if entry.valid_from else None,
        "valid_to": entry.valid_to.isoformat() if entry.valid_to else None,
        "relationship": entry.relationship or EQUIVALENT,
        "owner": entry.owner or entry.facility,
        "at": entry.mapped_at.isoformat(),
    }
    return f"map:{entry.id}", payload


def _publish(connection: sa.Connection, kind: str, changes: Sequence[Change]) -> int:
    names = subscribers.names(connection, kind)
    return _insert(connection, changes, [subscribers.lying(name) for name in names])


def _insert(connection: sa.Connection, changes: Iterable[Change], destinations: Sequence[str]) -> int:
    if not destinations:
        return 0
    written, left = 0, iter(changes)
    while batch := list(islice(left, BATCH)):
        values = {
            "keys": [key for key, _ in batch],
            "payloads": [json.dumps(payload, ensure_ascii=False) for _, payload in batch],
            "destinations": list(destinations),
        }
        written += connection.execute(_INSERT, values).rowcount
    return written
