"""Continuation pointers of demographics queries (HL7 v2.5 §5.6.3): kept for minutes, and cancelled."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from bus.hl7.message import Segment
from bus.hl7.problem import UNKNOWN_KEY
from bus.pix.problem import Fault, FaultsError

_SAVE = sa.text(
    "WITH old AS (DELETE FROM identity.pdq_pointer WHERE expires_at < now())"
    " INSERT INTO identity.pdq_pointer (pointer, application, query_tag, asked, after, shown, expires_at)"
    " VALUES (:pointer, :application, :query_tag, :asked, :after, :shown, now() + :good)"
)
_FIND = sa.text(
    "SELECT after, shown FROM identity.pdq_pointer WHERE pointer = :pointer AND application = :application"
    " AND asked = :asked AND expires_at > now()"
)
_CANCEL = sa.text(
    "DELETE FROM identity.pdq_pointer WHERE application = :application AND query_tag = :query_tag"
    " AND expires_at > now()"
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a query goes on."""

    after: uuid.UUID
    """The last person shown."""
    shown: int
    """How many were."""


def save(connection: sa.Connection, application: str, qpd: Segment, place: Place, good: timedelta) -> str:
    """Keep where a query goes on; returns its pointer. What was asked is kept as a hash alone."""
    pointer = uuid.uuid4()
    connection.execute(
        _SAVE,
        {
            "pointer": pointer,
            "application": application,
            "query_tag": qpd.get("2") or "",
            "asked": _asked(qpd),
            "after": place.after,
            "shown": place.shown,
            "good": good,
        },
    )
    return str(pointer)


def find(connection: sa.Connection, application: str, qpd: Segment, pointer: str) -> Place:
    """Return where a query goes on. Raises FaultsError for a pointer that is not, or no longer, good."""
    try:
        id_ = uuid.UUID(pointer)
    except ValueError:
        id_ = uuid.UUID(int=0)
    values = {"pointer": id_, "application": application, "asked": _asked(qpd)}
    row = connection.execute(_FIND, values).one_or_none()
    if row is None:
        reason = (
            "the continuation pointer is not known: it expired, was cancelled, or is of another query;"
            " ask again without DSC"
        )
        raise FaultsError(Fault(UNKNOWN_KEY, ("DSC", 1, 1), "unknown_pointer", reason))
    return Place(row.after, row.shown)


def cancel(connection: sa.Connection, application: str, query_tag: str) -> int:
    """Forget the pointers of a query; returns how many there were."""
    values = {"application": application, "query_tag": query_tag}
    return connection.execute(_CANCEL, values).rowcount


def _asked(qpd: Segment) -> bytes:
    return hashlib.sha256(qpd.text.rstrip(qpd.delimiters.field).encode()).digest()
