"""Versions of a record that is known by its key: only what changed becomes a message.

So a full list sent every day is as cheap as its changes, a value that is changed and changed back is two
messages, and both hold for as long as the ledger is kept, not only while a control id is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Any

import psycopg

from adapters.files.records import Record

_KNOWN = "SELECT key, version, digest FROM bus.file_record WHERE source = %s AND key = ANY(%s)"
_SAVE = (
    "INSERT INTO bus.file_record AS r (source, key, version, digest)"
    " SELECT %s, * FROM unnest(%s::bytea[], %s::int[], %s::bytea[])"
    " ON CONFLICT (source, key) DO UPDATE SET version = excluded.version, digest = excluded.digest"
)


def changed(connection: psycopg.Connection[Any], source: str, records: Sequence[Record]) -> list[Record]:
    """Return those without a key or with other content than their key's newest version, and note them.

    Their control id becomes key and version. Runs in the caller's transaction.
    """
    keys = keys_of(records)
    if not keys:
        return list(records)
    rows = connection.execute(_KNOWN, (source, list(keys.values()))).fetchall()
    newest = {bytes(row[0]): (int(row[1]), bytes(row[2])) for row in rows}
    new, touched = compared(records, keys, newest)
    if touched:
        numbers, digests = [v for v, _ in touched.values()], [d for _, d in touched.values()]
        connection.execute(_SAVE, (source, list(touched), numbers, digests))
    return new


def keys_of(records: Sequence[Record]) -> dict[str, bytes]:
    """Return by business key what it is known by."""
    return {record.key: _short(record.key) for record in records if record.key is not None}


def compared(
    records: Sequence[Record], keys: Mapping[str, bytes], newest: dict[bytes, tuple[int, bytes]]
) -> tuple[list[Record], dict[bytes, tuple[int, bytes]]]:
    """Return those that are new by the newest version and digest of each key, and what is newest then. Pure
    but for `newest`, which moves along.
    """
    new, touched = list[Record](), dict[bytes, tuple[int, bytes]]()
    for record in records:
        if record.key is None:
            new.append(record)
            continue
        version, digest = newest.get(keys[record.key], (0, b""))
        if digest == record.arrival.digest:
            continue
        newest[keys[record.key]] = touched[keys[record.key]] = (version + 1, record.arrival.digest)
        named = record.arrival._replace(control_id=f"{record.key}@{version + 1}")
        new.append(replace(record, arrival=named))
    return new, touched


def _short(key: str) -> bytes:
    return blake2b(key.encode(), digest_size=16).digest()
