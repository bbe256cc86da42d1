"""Keeps what messages' documents hold: in the documents' store, before the commit that names it.

A crash between the two leaves an orphan, which the sweep takes away (`consortium.documents.upkeep`); a store
that is away ends the transaction, and the message is tried again.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import sqlalchemy as sa

from consortium.documents import stored
from consortium.documents.content import ContentStore
from consortium.records.query import MOVED, STORE

AT_ONCE = 8
"""Contents on their way to the store at the same time: each waits for a disk or a network, not for us."""
_COMPRESSION = 6
_NAME = f"""
INSERT INTO records.blob AS b (sha256, size, coding, content)
SELECT sha256, size, '{MOVED}', '' FROM unnest(%(sha256)s::bytea[], %(sizes)s::bigint[]) AS n(sha256, size)
ON CONFLICT (sha256) DO UPDATE SET coding = '{MOVED}', content = '' WHERE b.coding <> '{MOVED}'
"""  # noqa: S608 - a constant
_ROW = """
INSERT INTO records.blob (sha256, size, coding, content)
VALUES (%(sha256)s, %(size)s, %(coding)s, %(content)s)
ON CONFLICT (sha256) DO NOTHING
"""
_SHA1 = """
INSERT INTO documents.content_sha1 (sha256, sha1)
SELECT * FROM unnest(%(sha256)s::bytea[], %(sha1)s::bytea[]) ON CONFLICT DO NOTHING
"""


def keep(connection: sa.Connection, contents: Mapping[bytes, bytes]) -> None:
    """Keep contents by their SHA-256; durable when this returns, named when the caller commits.

    A content that lies in PostgreSQL still is moved out on the way. Where the engine was made without a store
    (`consortium.records.query.STORE`) the rows hold the contents, until `consortium.documents.moving` moves
    them. Raises StoreAwayError.
    """
    if not contents:
        return
    store: ContentStore | None = connection.get_execution_options().get(STORE)
    ordered = dict(sorted(contents.items()))  # in one order, so that two writers do not wait in a circle
    if store is None:
        _in_rows(connection, ordered)
    else:
        stored.hold(connection)
        _put(store, ordered)
        sizes = [len(content) for content in ordered.values()]
        connection.exec_driver_sql(_NAME, {"sha256": list(ordered), "sizes": sizes})
    # The registry shows it: whoever asks there need not read the contents of all documents of a patient.
    hashes = [hashlib.sha1(content, usedforsecurity=False).digest() for content in ordered.values()]
    connection.exec_driver_sql(_SHA1, {"sha256": list(ordered), "sha1": hashes})


def _put(store: ContentStore, contents: Mapping[bytes, bytes]) -> None:
    if len(contents) == 1:
        for sha256, content in contents.items():
            store.put(sha256, content)
        return
    with ThreadPoolExecutor(min(AT_ONCE, len(contents)), thread_name_prefix="contents") as threads:
        for done in [threads.submit(store.put, *one) for one in contents.items()]:
            done.result()


def _in_rows(connection: sa.Connection, contents: Mapping[bytes, bytes]) -> None:
    for sha256, content in contents.items():
        packed = zlib.compress(content, _COMPRESSION)
        smaller = len(packed) < len(content)
        parameters = {
            "sha256": sha256,
            "size": len(content),
            "coding": "zlib" if smaller else "identity",
            "content": packed if smaller else content,
        }
        connection.exec_driver_sql(_ROW, parameters)
