"""Replaying one message: a held one goes on, one that was done or given up goes through the rules again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from bus import bodies, held, trace
from bus.hl7.header import peek
from bus.hl7.problem import HL7Error
from bus.master_data.outbox import MESSAGE_TYPE as MASTER_DATA
from bus.partition import message_key, patient_key
from bus.replay import ledger
from bus.replay.ledger import Effect, Who
from bus.sources.fhir import TYPE
from bus.sources.opening import ROW_TYPES, XML_TYPES

STORED = sa.text(
    "SELECT id, received_at, facility, control_id, message_type, charset, patient_number, body"
    " FROM bus.message WHERE id = :id"
)
STATE = sa.text("SELECT i.id, w.state FROM bus.inbox i LEFT JOIN bus.work w USING (id) WHERE i.id = :id")
LOCK = sa.text("SELECT pg_advisory_xact_lock(k) FROM unnest(CAST(:keys AS bigint[])) AS k")
WORK = sa.text(
    "INSERT INTO bus.work (id, patient_key, other_key, place) VALUES (:id, :key, :other, :place)"
    " ON CONFLICT (id) DO NOTHING RETURNING id"
)


@dataclass(frozen=True, slots=True)
class Done:
    """What a replay of one message did."""

    effect: Effect
    ready: Sequence[int]
    """It, and those that waited behind it, in inbox order."""


def replay(engine: sa.Engine, message_id: int, who: Who, routing_key: str) -> list[int]:
    """Let a message go through the rules of now; those that wait behind it follow in inbox order.

    Returns the ids that are ready again; a repeated key changes nothing and gives the message. Raises
    `held.NotHeldError` for one that is on its way or waits behind another, and as `ledger.begin`.
    """
    with engine.begin() as connection:
        replay_id, new = ledger.begin(connection, who, "one", {"message": message_id})
        if not new:
            return ledger.made(connection, replay_id)
        return list(put_back(connection, replay_id, message_id, who.by, routing_key).ready)


def release(engine: sa.Engine, message_id: int, who: Who) -> list[int]:
    """Let a held message go on, and none that is not held; returns the ids that are ready again.

    Raises `held.NotHeldError`.
    """
    with engine.begin() as connection:
        replay_id, _ = ledger.begin(connection, who, "one", {"message": message_id})
        ready = held.release(connection, message_id, who.by)
        place = ledger.place_of(connection, message_id)
        ledger.link(connection, replay_id, message_id, "released", place=place)
        trace.write(connection, [trace.Step(message_id, trace.REPLAYED, {"replay": replay_id, "by": who.by})])
    return ready


def put_back(connection: sa.Connection, replay_id: int, message_id: int, by: str, routing_key: str) -> Done:
    """Let one message go as part of a replay, in the caller's transaction. Raises `held.NotHeldError`."""
    row = connection.execute(STATE, {"id": message_id}).one_or_none()
    done = _again(connection, message_id, routing_key) if row is not None and row.state is None else None
    if done is None:
        done = Done("released", held.release(connection, message_id, by))
    place = ledger.place_of(connection, message_id)
    ledger.link(connection, replay_id, message_id, done.effect, place=place)
    trace.write(connection, [trace.Step(message_id, trace.REPLAYED, {"replay": replay_id, "by": by})])
    return done


def _again(connection: sa.Connection, message_id: int, routing_key: str) -> Done:
    # Reading the body keeps retention from dropping it before this commits.
    stored = connection.execute(STORED, {"id": message_id}).one()
    refuse_written(message_id, stored.message_type)
    if stored.body is None:
        raise held.NotHeldError(bodies.told(connection, message_id, stored.received_at))
    key, other = keys_of(stored, routing_key)
    lock(connection, key, other)
    place = ledger.place_of(connection, message_id)
    values = {"id": message_id, "key": key, "other": other, "place": None if place == message_id else place}
    if connection.execute(WORK, values).one_or_none() is None:
        raise held.on_its_way(message_id)
    return Done("again", [message_id])


def refuse_written(message_id: int, message_type: str) -> None:
    """Refuse what was written over FHIR or HL7 v3, and what tells a subscriber: no rule says what it means.

    Raises `held.NotHeldError`.
    """
    if message_type.startswith(MASTER_DATA):
        raise held.NotHeldError(
            f"message {message_id} tells a subscriber of a change of master data and goes through no rules;"
            " see ./yilian destinations show for its delivery, or unsubscribe and subscribe with --present to"
            " tell everything again",
            zh=f"消息 {message_id} 用于向订阅方通知主数据变更，不经过规则；其投递请用"
            " ./yilian destinations show 查看，如需全部重发，请取消订阅后以 --present 重新订阅",
        )
    if message_type.startswith("hl7v3:"):
        raise held.NotHeldError(
            f"message {message_id} was fed by HL7 v3 and recorded before it was answered: nothing of it"
            " waits; let its sender send the corrected message",
            zh=f"消息 {message_id} 由 HL7 v3 送入，应答前已入库，没有等待处理的内容；"
            "请由发送方重发更正后的消息",
        )
    if message_type.startswith(TYPE):
        raise held.NotHeldError(
            f"message {message_id} was written over FHIR and recorded before it was answered: nothing of it"
            " waits; send the corrected resource to /fhir",
            zh=f"消息 {message_id} 由 FHIR 写入，应答前已入库，没有等待处理的内容；"
            "请向 /fhir 提交更正后的资源",
        )


def lock(connection: sa.Connection, *keys: int | None) -> None:
    """Take the locks of patients, in one order for everybody."""
    connection.execute(LOCK, {"keys": sorted({key for key in keys if key is not None})})


def keys_of(stored: Any, routing_key: str) -> tuple[int, int | None]:
    """Return the keys of a stored message's patients: its own, and that of the second one of a merge."""
    if stored.patient_number is None:
        return message_key(stored.facility, stored.control_id, routing_key), None
    other = other_number(stored.message_type, bytes(stored.body), stored.facility, stored.charset)
    key = patient_key(stored.facility, stored.patient_number, routing_key)
    return key, None if other is None else patient_key(stored.facility, other, routing_key)


def other_number(message_type: str, body: bytes, facility: str, charset: str) -> str | None:
    """Return the second patient's number of a merge; of all protocols only HL7 has one."""
    if message_type.startswith((*XML_TYPES, *ROW_TYPES)):
        return None
    try:
        return peek(body, {facility: charset}).other_patient_number
    except HL7Error:
        return None  # the router holds it, with this as its reason
