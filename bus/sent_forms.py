"""What a message made go to other systems, and what they answered: kept as long as its own bytes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

SENT = sa.text(
    "SELECT destination, form, state, sent_at, answered_at, code, body, answer FROM bus.delivery"
    " WHERE message_id = :id ORDER BY destination, part"
)


@dataclass(frozen=True, slots=True)
class Sent:
    """One message, or one change of it, as another system gets it."""

    destination: str
    form: str
    """raw, canonical, fhir or hl7."""
    state: str
    sent_at: datetime | None
    """Last on the wire; None: it never was."""
    answered_at: datetime | None
    code: str | None
    body: bytes | None
    """None: the bytes as they arrived."""
    answer: bytes | None
    """As it came."""


def sent(connection: sa.Connection, message_id: int) -> list[Sent]:
    """Return what goes, or went, to each destination."""
    return [Sent(**row) for row in connection.execute(SENT, {"id": message_id}).mappings()]
