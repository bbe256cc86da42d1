"""Replaying an edited message: a corrected body becomes a new message in the place of its original.

The original stays as it came. The new one has an id of its own and takes the original's place in inbox order,
so that what came after the original is not overwritten by its correction, and what waited behind it follows.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import psycopg
import sqlalchemy as sa

from bus import bodies, held, trace
from bus.cda.heading import read_heading
from bus.cda.problem import DocumentError
from bus.envelope import Arrival
from bus.hl7.header import peek
from bus.hl7.problem import HL7Error
from bus.inbox.edited import store_edited
from bus.replay import ledger
from bus.replay.ledger import Who
from bus.replay.one import keys_of, lock, refuse_written
from bus.router.work import NARROW
from bus.sources.cda import parse_cda
from bus.sources.opening import CDA_TYPE, ROW_TYPES, XML_TYPES, decode_text
from bus.sources.source import Envelope, UnreadableError
from bus.sources.xml import parse_xml_source
from consortium.errors import PermanentError

ORIGINAL = sa.text(
    "SELECT i.id, i.facility, i.sender, i.control_id, i.message_type, i.protocol, i.endpoint, i.charset,"
    " i.patient_number, i.visit_number, i.message_time, i.received_at, i.body, w.state"
    " FROM bus.message i LEFT JOIN bus.work w USING (id) WHERE i.id = :id"
)
GIVE_UP = sa.text("DELETE FROM bus.work WHERE id = :id")
PLACE = sa.text("UPDATE bus.work SET place = :place WHERE id = :id")


class BadEditError(PermanentError):
    """A body that cannot take the original's place."""

    code = "bad_edit"


@dataclass(frozen=True, slots=True)
class Corrected:
    """What the corrected body says of itself."""

    body: bytes
    digest: bytes
    patient_number: str | None
    visit_number: str | None
    other: str | None = None


def edit(engine: sa.Engine, message_id: int, body: bytes, who: Who, routing_key: str) -> int:
    """Send a corrected body in place of a message; returns the new message's id.

    A held or waiting original is given up for it. Raises `held.NotHeldError` for one that is on its way,
    `BadEditError` for a body that does not parse or is another campus's, and as `ledger.begin`.
    """
    request = {"message": message_id, "sha256": sha256(body).hexdigest()}
    with engine.begin() as connection:
        replay_id, new = ledger.begin(connection, who, "edit", request)
        if not new:
            return ledger.made(connection, replay_id)[0]
        original = connection.execute(ORIGINAL, {"id": message_id}).one_or_none()
        if original is None:
            raise held.no_message(message_id)
        return _replace(connection, replay_id, original, read(body, original), who.by, routing_key)


def _replace(
    connection: sa.Connection, replay_id: int, original: Any, corrected: Corrected, by: str, routing_key: str
) -> int:
    refuse_written(original.id, original.message_type)
    if original.body is None:
        raise held.NotHeldError(bodies.told(connection, original.id, original.received_at))
    arrival = _arrival(original, corrected)
    key, other = keys_of(arrival, routing_key)
    lock(connection, key, other, *keys_of(original, routing_key))
    state = connection.execute(ORIGINAL, {"id": original.id}).one().state
    if state == 0:
        raise held.NotHeldError(
            f"message {original.id} is on its way; edit it when it is held or recorded",
            zh=f"消息 {original.id} 正在处理中；请在其挂起或入库后再更正",
        )
    driver: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]  # any driver's
    new_id = store_edited(driver, arrival, key, other)
    place = ledger.place_of(connection, original.id)
    connection.execute(PLACE, {"id": new_id, "place": place})
    if state is not None:
        _give_up(connection, original.id, by)
    ledger.link(connection, replay_id, original.id, "edited", message_id=new_id, place=place)
    steps = [trace.Step(new_id, trace.REPLAYED, {"replay": replay_id, "by": by, "edited_from": original.id})]
    if state is not None:
        steps.append(trace.Step(original.id, trace.DISCARDED, {"by": by, "replaced_by": new_id}))
    trace.write(connection, steps)
    return new_id


def _give_up(connection: sa.Connection, message_id: int, by: str) -> None:
    """Free what waits behind a message and take its own work away."""
    connection.execute(held.FREE, {"id": message_id})
    connection.execute(GIVE_UP, {"id": message_id})
    connection.execute(NARROW, {"ids": [message_id]})
    connection.execute(held.CLOSE, {"id": message_id, "by": by})


def _arrival(original: Any, corrected: Corrected) -> Arrival:
    return Arrival(
        facility=original.facility,
        sender=original.sender,
        control_id=original.control_id,
        message_type=original.message_type,
        body=corrected.body,
        charset=original.charset,
        protocol=original.protocol,
        endpoint=original.endpoint,
        digest=corrected.digest,
        patient_number=corrected.patient_number,
        other_patient_number=corrected.other,
        visit_number=corrected.visit_number,
        message_time=original.message_time,
    )


def read(body: bytes, original: Any) -> Corrected:
    """Read what routing needs of a corrected body. Raises `BadEditError`."""
    try:
        if original.message_type.startswith(CDA_TYPE):
            return _document(body, original)
        if original.message_type.startswith(XML_TYPES):
            parse_xml_source(body, Envelope(original.facility, original.sender, original.message_type))
        elif original.message_type.startswith(ROW_TYPES):
            json.loads(decode_text(body, original.charset))
        else:
            return _hl7(body, original)
    except (UnreadableError, HL7Error) as error:
        raise BadEditError(
            f"the corrected body does not parse: {error}", zh=f"更正后的内容无法解析：{error}"
        ) from error
    except ValueError as error:
        raise BadEditError(
            "the corrected body is not well-formed JSON", zh="更正后的内容不是格式正确的 JSON"
        ) from error
    # Where the protocol does not carry routing fields the patient stays the original's.
    return Corrected(body, sha256(body).digest(), original.patient_number, original.visit_number)


def _document(body: bytes, original: Any) -> Corrected:
    """The patient is the document's own, as when it came; the kind must stay."""
    envelope = Envelope(original.facility, original.sender, original.message_type)
    try:
        heading = read_heading(parse_cda(body, envelope).element)
    except DocumentError as error:
        raise BadEditError(
            f"the corrected body is no document that can be taken: {error}",
            zh=f"更正后的内容不是可接收的文档：{error}",
        ) from error
    if heading.message_type != original.message_type:
        raise BadEditError(
            "the corrected document is of another kind than its original", zh="更正后的文档与原文档类型不同"
        )
    return Corrected(body, sha256(body).digest(), heading.patient_number, heading.visit_number)


def _hl7(body: bytes, original: Any) -> Corrected:
    body = body.replace(b"\r\n", b"\r").replace(b"\n", b"\r")
    header = peek(body, {original.facility: original.charset})
    for name in ("facility", "sender", "message_type", "control_id"):
        if getattr(header, name) != getattr(original, name):
            raise BadEditError(
                f"the corrected body has another {name.replace('_', ' ')} than its original",
                zh=f"更正后的内容与原消息的 {name} 不同",
            )
    if header.codec != original.charset:
        raise BadEditError(
            f"the corrected body is {header.codec}; its original was {original.charset}",
            zh=f"更正后的内容字符集为 {header.codec}，原消息为 {original.charset}",
        )
    other = header.other_patient_number
    return Corrected(body, header.digest, header.patient_number, header.visit_number, other)
