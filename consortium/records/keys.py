"""Stable public ids, made from the numbers that campuses give.

A record's id is a version 5 UUID (RFC 9562 §5.5) of its facility, kind and number, so that it is the same in
every rebuild. A child (a result of a report, a diagnosis of a visit) begins with the first eight bytes of
its parent's id: the twenty results of one report lie side by side in the index.
"""

from __future__ import annotations

import hashlib
import uuid

NAMESPACE = uuid.UUID("5c9df0a5-1f5a-5d6d-9d0e-7c1b1f3c4a93")
"""Namespace of every id of the consortium's records."""

SEPARATOR = "\x1f"
_VARIANT = 0x80


def record_id(facility: str, kind: str, number: str) -> uuid.UUID:
    """Return the public id of the record that a campus knows by that number."""
    return uuid.uuid5(NAMESPACE, SEPARATOR.join((facility, kind, number)))


def child_id(parent: uuid.UUID, *parts: str) -> uuid.UUID:
    """Return the public id of a part of a record, named by what tells it from its siblings."""
    tail = hashlib.blake2b(SEPARATOR.join(parts).encode(), key=parent.bytes, digest_size=8).digest()
    return uuid.UUID(bytes=parent.bytes[:8] + bytes([tail[0] & 0x3F | _VARIANT]) + tail[1:])


def child_range(parent: uuid.UUID) -> tuple[uuid.UUID, uuid.UUID]:
    """Return the lowest and highest id that a child of that record can have."""
    head = parent.bytes[:8]
    return uuid.UUID(bytes=head + bytes(8)), uuid.UUID(bytes=head + b"\xff" * 8)
