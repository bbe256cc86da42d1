"""The whole way of one message, for `messages show` and the API."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bus import bodies
from bus.finding import inbox
from bus.journal import Entry, message_entry, refusal, refusal_entry, select_messages, select_refusals
from bus.replay.ledger import Replayed, of_message
from bus.tracing import trace_id

SHOWN_BYTES = 1024 * 1024
"""Of a body, the first so many bytes are decoded for people."""

STEPS = sa.text("SELECT at, step, detail FROM bus.trace WHERE message_id = :id ORDER BY at, step")
HOLDS = sa.text(
    "SELECT held_at, code, reason, rule, step, field, released_at, released_by FROM bus.held"
    " WHERE message_id = :id ORDER BY id"
)
SAME_CONTROL_ID = sa.text(
    "SELECT o.id FROM bus.inbox m JOIN bus.inbox o USING (facility, sender, control_id)"
    " WHERE m.id = :id AND o.id <> m.id ORDER BY o.id"
)
BODY = sa.text("SELECT substr(body, 1, :bytes) FROM bus.message WHERE id = :id")
WAITING = sa.text("SELECT id FROM bus.work WHERE state = 2 AND blocked_by = :id ORDER BY id")
DELIVERIES = sa.text(
    "SELECT created_at, destination, dedupe_key, attempts, last_error, delivered_at FROM bus.outbox"
    " WHERE message_id = :id UNION ALL"
    " SELECT queued_at, destination, 'delivery:' || id || ':' || state, attempts, code,"
    " CASE WHEN state = 'delivered' THEN done_at END FROM bus.delivery WHERE message_id = :id ORDER BY 1, 2"
)


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happened to it."""

    at: datetime
    step: str
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Holding:
    """A time when it was held."""

    held_at: datetime
    code: str
    reason: str
    rule: str | None
    step: str | None
    field: str | None
    released_at: datetime | None
    released_by: str | None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """Something it makes others hear of."""

    created_at: datetime
    destination: str
    dedupe_key: str
    attempts: int
    last_error: str | None
    delivered_at: datetime | None


@dataclass(frozen=True, slots=True)
class Journey:
    """All that is known of one message, or of one refusal."""

    entry: Entry
    charset: str | None
    body: str
    """Decoded for people: what does not decode is shown as \\xNN. HL7 segments are on lines of their own.
    Empty when retention dropped it.
    """
    steps: tuple[Step, ...] = ()
    holds: tuple[Holding, ...] = ()
    same_control_id: tuple[str, ...] = ()
    """Other messages under the same control id."""
    waiting: tuple[str, ...] = ()
    """Messages that wait behind it."""
    outgoing: tuple[Outgoing, ...] = ()
    trace_id: str | None = None
    """Of its OpenTelemetry trace, in hexadecimal, whether it is among those that are traced or not."""
    replays: tuple[Replayed, ...] = ()
    """Each time it was let go again, as original or as edited from one."""
    body_dropped: str | None = None
    """The sentence for people about a body that retention dropped; None: it is here."""


def journey(connection: sa.Connection, id: str) -> Journey | None:  # noqa: A002 - the journal's word for it
    """Return the way of the message or refusal (`r123`) of that id; None when there is none."""
    number = id.removeprefix("r")
    if not (number.isascii() and number.isdecimal() and len(number) <= 18):
        return None
    if id.startswith("r"):
        return _refused(connection, int(number))
    return _message(connection, int(number))


def _message(connection: sa.Connection, id_: int) -> Journey | None:
    query = select_messages().add_columns(inbox.c.charset).where(inbox.c.id == id_)
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    shown = connection.execute(BODY, {"id": id_, "bytes": SHOWN_BYTES}).scalar_one()
    dropped = None if shown is not None else bodies.told(connection, id_, row.received_at)
    key = {"id": id_}
    return Journey(
        entry=message_entry(row),
        charset=row.charset,
        body=readable(shown or b"", row.charset),
        body_dropped=dropped,
        steps=tuple(Step(**r) for r in connection.execute(STEPS, key).mappings()),
        holds=tuple(Holding(**r) for r in connection.execute(HOLDS, key).mappings()),
        same_control_id=tuple(str(i) for i in connection.execute(SAME_CONTROL_ID, key).scalars()),
        waiting=tuple(str(i) for i in connection.execute(WAITING, key).scalars()),
        trace_id=f"{trace_id(id_):032x}",
        replays=tuple(of_message(connection, id_)),
        outgoing=tuple(Outgoing(**r) for r in connection.execute(DELIVERIES, key).mappings()),
    )


def _refused(connection: sa.Connection, id_: int) -> Journey | None:
    body = sa.func.substr(refusal.c.body, 1, SHOWN_BYTES).label("shown")
    query = select_refusals().add_columns(body).where(refusal.c.id == id_)
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    dropped = None if row.shown is not None else bodies.REFUSED
    return Journey(
        entry=refusal_entry(row), charset=None, body=readable(row.shown or b"", "utf-8"), body_dropped=dropped
    )


def readable(body: bytes, charset: str) -> str:
    """Return a body for people to read; never raises."""
    try:
        text = bytes(body).decode(charset, "backslashreplace")
    except (LookupError, UnicodeError):
        text = bytes(body).decode("ascii", "backslashreplace")
    return text.replace("\r\n", "\n").replace("\r", "\n")
