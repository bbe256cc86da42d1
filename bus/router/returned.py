"""Messages that the platform built itself and a campus sent back: held, so that none goes round.

HL7 v2 carries no trace that a receiver must hand on. What is built here says MSH-3 `YILIAN` and, as MSH-10,
the delivery that it was built for: a message with both is looked up among the deliveries. One that a campus
makes anew of ours, with its own MSH-3 and MSH-10, is its own.
"""

from __future__ import annotations

import re

import sqlalchemy as sa

from bus.envelope import Stored
from bus.hl7.writing.fields import time
from bus.hl7.writing.message import APPLICATION
from bus.rules.decision import Decision, Hold
from bus.rules.spec import OrderClass

CODE = "own_message"
CONTROL_ID = re.compile(r"YL([1-9]\d{0,17})", re.ASCII)
"""MSH-10 of what is built for a delivery."""
DELIVERY = sa.text(
    "SELECT d.destination, d.message_id, i.facility, i.received_at"
    " FROM bus.delivery d JOIN bus.inbox i ON i.id = d.message_id WHERE d.id = :id AND d.form = 'hl7'"
)


def returned(connection: sa.Connection, message: Stored) -> Decision | None:
    """Return that a message is held because it was built here; None: it was not.

    The database is asked of a message alone that says so itself. Another platform's message may say the same
    by chance: ours is of the campus, or of the time (MSH-7), of the message that it was built from.
    """
    if message.sender != APPLICATION:
        return None
    said = CONTROL_ID.fullmatch(message.control_id)
    if said is None:
        return None
    found = connection.execute(DELIVERY, {"id": int(said[1])}).one_or_none()
    if found is None:
        return None
    if message.facility != found.facility and message.message_time != time(found.received_at):
        return None
    reason = (
        f"it was built here, of message {found.message_id} for {found.destination}, and {message.facility}"
        " sends it back: let its engine not forward what MSH-3 says is ours, or correct the address of"
        f" {found.destination}"
    )
    hold = Hold(CODE, reason, step="door", field="MSH-3")
    return Decision(hold, None, OrderClass.RESULT, waits=False, blocks=False)
