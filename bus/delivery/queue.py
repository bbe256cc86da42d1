"""Queueing: a row for each destination of a message, in the transaction of its effects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from bus import trace
from bus.delivery.snapshot import snapshot
from bus.rules.spec import Form, Sending
from consortium.records import known
from consortium.records.model import Change, Document, Provenance

QUEUE = sa.text(
    "WITH queued AS (INSERT INTO bus.delivery"
    " (destination, message_id, part, patient_key, other_key, form, body)"
    " SELECT * FROM unnest(CAST(:destinations AS text[]), CAST(:ids AS bigint[]),"
    " CAST(:parts AS smallint[]), CAST(:keys AS bigint[]), CAST(:others AS bigint[]),"
    " CAST(:forms AS text[]), CAST(:bodies AS bytea[]))"
    " ON CONFLICT (destination, message_id, part, generation) DO NOTHING"
    " RETURNING message_id, destination, part)"
    " SELECT message_id, destination, part FROM queued ORDER BY message_id, destination, part"
)


BUILT = frozenset({Form.FHIR, Form.HL7})
"""Made when it is sent, of what is known after the message."""


@dataclass(frozen=True, slots=True)
class Queued:
    """One message for one destination."""

    destination: str
    message_id: int
    keys: Sequence[int]
    """The patient's key; two for a merge."""
    form: Form
    body: bytes | None
    """None: the bytes of the inbox."""
    part: int = 0
    """Which of the message's changes, from 1; 0: the message as a whole."""


def queued(
    connection: sa.Connection, sending: Sending, keys: Sequence[int], change: Change, provenance: Provenance
) -> Queued:
    """Return the row of one destination of a message that is recorded in the caller's transaction."""
    body = None
    if sending.send is Form.CANONICAL:
        body = canonical(change, provenance)
    elif sending.send in BUILT:
        body = snapshot(known.completed(connection, change, provenance.facility), provenance)
    part = 0 if body is None else provenance.part or 0
    return Queued(sending.to, provenance.message_id, keys, sending.send, body, part)


def canonical(change: Change, provenance: Provenance) -> bytes:
    """Return a change as it is sent: `{"source": …, "change": …}`, UTF-8 JSON, what is absent left out.

    Where a document is no UTF-8 text, the contents are in base64 beside the change: `"contents": […]`.
    """
    if not all(map(_is_text, change.documents)):
        return snapshot(change, provenance)
    source = provenance.model_dump_json(exclude_none=True)
    return f'{{"source":{source},"change":{change.model_dump_json(exclude_none=True)}}}'.encode()


def _is_text(document: Document) -> bool:
    try:
        document.content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def write(connection: sa.Connection, rows: Sequence[Queued]) -> None:
    """Queue them in the caller's transaction, which holds the patients' locks: ids follow the effects' order.

    What is queued or delivered already is left as it is: a message, or a change of it where it has several,
    goes to a destination once.
    """
    if not rows:
        return
    found = connection.execute(
        QUEUE,
        {
            "destinations": [row.destination for row in rows],
            "ids": [row.message_id for row in rows],
            "parts": [row.part for row in rows],
            "keys": [row.keys[0] for row in rows],
            "others": [row.keys[1] if len(row.keys) > 1 else None for row in rows],
            "forms": [row.form.value for row in rows],
            "bodies": [row.body for row in rows],
        },
    )
    trace.write(
        connection,
        [
            trace.Step(row.message_id, trace.DELIVERY_QUEUED, _detail(row.destination, row.part))
            for row in found
        ],
    )


def _detail(destination: str, part: int) -> dict[str, object]:
    return {"destination": destination, **({"part": part} if part else {})}
