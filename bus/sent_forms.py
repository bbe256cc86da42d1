"""What a message made go to other systems, and what they answered: kept as long as its own bytes."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

import sqlalchemy as sa

from bus.delivery.kept import unpacked
from bus.delivery.recomputing import Recompute
from bus.delivery.transport import Outgoing, SentForm
from bus.journey import SHOWN_BYTES, readable
from bus.rules.spec import Form

SENT = sa.text(
    "SELECT d.id, d.message_id, d.destination, d.part, d.generation, d.again_of, d.form, d.state,"
    " d.attempts, d.queued_at,"
    " d.sent_at, d.answered_at, d.code, d.answer, d.sent_digest, d.sent_rules, d.body AS queued,"
    " i.message_type, i.charset AS message_charset, i.control_id, i.body AS raw,"
    " s.charset, s.place, s.body AS packed"
    " FROM bus.delivery d JOIN bus.message i ON i.id = d.message_id"
    " LEFT JOIN bus.sent s ON s.id = d.id AND s.queued_at = d.queued_at AND s.sent_at = d.sent_at"
    " WHERE d.message_id = :id ORDER BY d.destination, d.part, d.generation"
)


class How(enum.StrEnum):
    """How what is shown of a delivery is known."""

    KEPT = "kept"
    """The bytes that went out at the last attempt."""
    RECOMPUTED = "recomputed"
    """It went out before such bytes were kept: what would go out now."""
    NOT_SENT = "not_sent"
    """It never went out: what would go out now."""
    DROPPED = "dropped"
    """They are not here any more, or cannot be made."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One message, or one change of it, as another system gets it."""

    id: int
    """Of the delivery."""
    destination: str
    part: int
    """Which of the message's changes, from 1; 0: the message as a whole."""
    generation: int
    """0: as the rules sent it; then counting those that somebody sent again on purpose."""
    again_of: int | None
    """The delivery that it repeats on purpose."""
    form: str
    """raw, canonical, fhir or hl7."""
    state: str
    sent_at: datetime | None
    """Last on the wire; None: it never was."""
    answered_at: datetime | None
    code: str | None
    rules: str | None
    """The rule set under which it last went out; None: it never did, or no set was deployed, or before this
    was kept.
    """
    how: How
    place: str | None
    """Where it went, when that was made of the message."""
    charset: str | None
    body: bytes | None
    """None: see `how`."""
    answer: bytes | None
    """As it came."""

    @property
    def text(self) -> str | None:
        """What went out, decoded for people."""
        return None if self.body is None else readable(self.body[:SHOWN_BYTES], self.charset or "utf-8")

    @property
    def answer_text(self) -> str | None:
        """The answer, decoded for people: UTF-8, or else as what was sent."""
        if self.answer is None:
            return None
        try:
            self.answer.decode("utf-8")
        except UnicodeDecodeError:
            return readable(self.answer, self.charset or "utf-8")
        return readable(self.answer, "utf-8")


def sent(connection: sa.Connection, message_id: int, recompute: Recompute) -> list[Sent]:
    """Return what goes, or went, to each destination."""
    return [_sent(row, recompute) for row in connection.execute(SENT, {"id": message_id})]


def _sent(row: Any, recompute: Recompute) -> Sent:
    how, form = _form(row, recompute)
    return Sent(
        id=row.id,
        destination=row.destination,
        part=row.part,
        generation=row.generation,
        again_of=row.again_of,
        form=row.form,
        state=row.state,
        sent_at=row.sent_at,
        answered_at=row.answered_at,
        code=row.code,
        rules=row.sent_rules,
        how=how,
        place=row.place,
        charset=None if form is None else form.charset,
        body=None if form is None else form.body,
        answer=None if row.answer is None else bytes(row.answer),
    )


def _form(row: Any, recompute: Recompute) -> tuple[How, SentForm | None]:
    queued = row.raw if row.queued is None else row.queued
    message = None if queued is None else _outgoing(row, bytes(queued))
    if row.sent_at is not None and row.sent_digest is not None:
        return _kept(row, message)
    form = None if message is None else recompute(row.destination, message)
    if form is None:
        return How.DROPPED, None
    return How.NOT_SENT if row.sent_at is None else How.RECOMPUTED, form


def _kept(row: Any, message: Outgoing | None) -> tuple[How, SentForm | None]:
    if row.packed is not None:
        return How.KEPT, SentForm(unpacked(row.packed), row.charset)
    form = None if message is None else message.as_it_is
    if form is None or sha256(form.body).digest() != row.sent_digest:
        return How.DROPPED, None
    return How.KEPT, form


def _outgoing(row: Any, body: bytes) -> Outgoing:
    return Outgoing(
        row.id,
        row.attempts,
        row.message_id,
        row.message_type,
        row.message_charset,
        Form(row.form),
        body,
        row.queued_at,
        row.control_id,
        row.again_of,
    )
