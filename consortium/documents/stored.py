"""What the repository holds: a row for each document, which names its content in the store."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import sqlalchemy as sa

LOCK = 0x79_6C_64_6F_63
"""Advisory lock: shared by who puts content and commits its row, exclusive for who removes orphans."""

_LOCK_SHARED = sa.text("SELECT pg_advisory_xact_lock_shared(:key)")
_KEEP = sa.text(
    "INSERT INTO documents.stored (unique_id, repository, sha256, size, mime_type, stored_at)"
    " VALUES (:unique_id, :repository, :sha256, :size, :mime_type, :stored_at)"
    " ON CONFLICT (unique_id, repository) DO NOTHING"
)
_FIND = sa.text(
    "SELECT unique_id, repository, sha256, size, mime_type, stored_at FROM documents.stored"
    " WHERE repository = :repository AND unique_id = ANY(CAST(:unique_ids AS text[]))"
)


@dataclass(frozen=True, slots=True)
class Stored:
    """One document that is held."""

    unique_id: str
    repository: str
    sha256: bytes
    size: int
    """Bytes."""
    mime_type: str
    stored_at: datetime


def hold(connection: sa.Connection) -> None:
    """Keep what is put into the store from now on safe from the sweep, until the transaction ends."""
    connection.execute(_LOCK_SHARED, {"key": LOCK})


def keep(connection: sa.Connection, rows: Sequence[Stored]) -> None:
    """Write what is held; a document that is known stays as it is."""
    if rows:
        connection.execute(_KEEP, [asdict(row) for row in rows])


def find(connection: sa.Connection, repository: str, unique_ids: Collection[str]) -> dict[str, Stored]:
    """Return those of the documents that are held, by unique id."""
    rows = connection.execute(_FIND, {"repository": repository, "unique_ids": list(unique_ids)})
    return {row["unique_id"]: Stored(**row) for row in rows.mappings()}
