"""Files that belong to a referral: scans and pictures that are in nobody's records.

What they hold lies in the documents' store by its SHA-256, as everything that documents hold; here is who
added what. Appended only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from consortium.documents.keeping import keep
from consortium.errors import ConflictError, PermanentError
from consortium.records import query
from consortium.referral.model import Party
from consortium.referral.store import Row

LARGEST = 20 * 1024 * 1024
"""Bytes of one file."""
MOST = 50
"""Files of one referral."""
KINDS: Mapping[str, bytes] = {
    "application/pdf": b"%PDF-",
    "image/jpeg": b"\xff\xd8\xff",
    "image/png": b"\x89PNG\r\n\x1a\n",
}
"""What may be attached, and how each such file begins."""
ATTACHMENT = sa.table(
    "attachment",
    *map(
        sa.column,
        ("id", "referral_id", "sha256", "name", "mime_type", "size", "party", "username", "at"),
    ),
    schema="referral",
)


class AttachmentError(PermanentError):
    """A file that cannot be attached."""

    code = "unfit_attachment"


class AttachmentsFullError(ConflictError):
    """A referral has as many files as it may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file to be attached."""

    id: UUID
    """The same again adds nothing."""
    name: str
    mime_type: str
    data: bytes
    party: Party
    username: str


def check(mime_type: str, data: bytes) -> None:
    """Refuse what is no file of a kind that may be attached: what it says it is must be what it is.

    Raises AttachmentError.
    """
    begins = KINDS.get(mime_type)
    if begins is None:
        raise AttachmentError(f"attach {', '.join(KINDS)}: what is sent says that it is {mime_type or '…'}")
    if not data.startswith(begins):
        raise AttachmentError(f"the file says that it is {mime_type}, and does not begin as such files do")


def add(connection: sa.Connection, id_: UUID, one: Attachment, now: datetime) -> None:
    """Attach a file, once by its id; what it holds is durable when this returns.

    Call it last in the transaction. Raises AttachmentError, AttachmentsFullError, StoreAwayError.
    """
    check(one.mime_type, one.data)
    if get(connection, id_, one.id) is not None:
        return
    if len(listed(connection, id_)) >= MOST:
        raise AttachmentsFullError(
            f"this referral has {MOST} files, which is the most", zh=f"本转诊单已有 {MOST} 个附件，已达上限"
        )
    sha256 = hashlib.sha256(one.data).digest()
    keep(connection, {sha256: one.data})
    values: Row = {
        "id": one.id,
        "referral_id": id_,
        "sha256": sha256,
        "name": one.name,
        "mime_type": one.mime_type,
        "size": len(one.data),
        "party": one.party.value,
        "username": one.username,
        "at": now,
    }
    connection.execute(insert(ATTACHMENT).values(**values).on_conflict_do_nothing(index_elements=["id"]))


def listed(connection: sa.Connection, id_: UUID) -> list[Row]:
    """Return the files of a referral, the first one first."""
    c = ATTACHMENT.c
    statement = sa.select(ATTACHMENT).where(c.referral_id == id_).order_by(c.at, c.id)
    return [dict(row) for row in connection.execute(statement).mappings()]


def get(connection: sa.Connection, id_: UUID, attachment: UUID) -> Row | None:
    """Return one file of a referral, without what it holds."""
    c = ATTACHMENT.c
    statement = sa.select(ATTACHMENT).where(c.referral_id == id_, c.id == attachment)
    row = connection.execute(statement).mappings().one_or_none()
    return None if row is None else dict(row)


def content(connection: sa.Connection, row: Row) -> bytes:
    """Return what a file holds. Raises StoreAwayError, CorruptContentError."""
    return query.blob(connection, row["sha256"])
