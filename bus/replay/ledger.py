"""Who let which message go again, and why: appended, never changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from consortium.errors import ConflictError, PermanentError

Kind = Literal["one", "query", "edit"]
Effect = Literal["released", "again", "edited"]

BEGIN = sa.text(
    "INSERT INTO bus.replay (by, reason, kind, request, idempotency_key)"
    " VALUES (:by, :reason, :kind, CAST(:request AS jsonb), :key)"
    " ON CONFLICT (by, idempotency_key) DO NOTHING RETURNING id"
)
KNOWN = sa.text(
    "SELECT id, kind = :kind AND reason = :reason AND request = CAST(:request AS jsonb) AS same"
    " FROM bus.replay WHERE by = :by AND idempotency_key = :key"
)
LINK = sa.text(
    "INSERT INTO bus.replayed (replay_id, original_id, message_id, place, effect)"
    " VALUES (:replay_id, :original_id, :message_id, :place, :effect)"
)
OF_MESSAGE = sa.text(
    "SELECT r.id AS replay_id, d.at, r.by, r.reason, r.kind, d.effect, d.original_id, d.message_id"
    " FROM bus.replayed d JOIN bus.replay r ON r.id = d.replay_id"
    " WHERE d.original_id = :id OR d.message_id = :id ORDER BY d.at, r.id"
)
PLACE = sa.text("SELECT place FROM bus.replayed WHERE message_id = :id AND effect = 'edited'")
MADE = sa.text("SELECT message_id FROM bus.replayed WHERE replay_id = :id ORDER BY original_id")


class ReasonMissingError(PermanentError):
    """A replay that does not say why."""

    code = "reason_missing"


@dataclass(frozen=True, slots=True)
class Who:
    """Who asks for a replay and why; `key` makes the same request again the same replay."""

    by: str
    reason: str
    """A sentence for those who look later; holds no patient data."""
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Replayed:
    """One time that a message was let go again."""

    replay_id: int
    at: datetime
    by: str
    reason: str
    kind: Kind
    effect: Effect
    """released: it was held. again: it had been done or given up. edited: a corrected one in its place."""
    original_id: int
    message_id: int
    """The original itself, or the message that was edited from it."""


def begin(connection: sa.Connection, who: Who, kind: Kind, request: Mapping[str, Any]) -> tuple[int, bool]:
    """Note a replay; returns its number and whether it is new.

    A repeated key gives the first one's number. Raises `ReasonMissingError`, and `ConflictError` for a key
    that was used for something else.
    """
    reason = who.reason.strip()
    if not reason:
        raise ReasonMissingError(
            "say why: a replay keeps its reason for those who look later",
            zh="请填写原因：重放记录会保存原因，供日后查阅",
        )
    values = {
        "by": who.by,
        "reason": reason,
        "kind": kind,
        "request": json.dumps(request, ensure_ascii=False, sort_keys=True),
        "key": who.key,
    }
    number: int | None = connection.execute(BEGIN, values).scalar_one_or_none()
    if number is not None:
        return number, True
    known = connection.execute(KNOWN, values).one()
    if not known.same:
        raise ConflictError(
            "this Idempotency-Key was used for another replay; use a new one",
            zh="该 Idempotency-Key 已用于另一次重放；请换用新的",
        )
    return known.id, False


def link(
    connection: sa.Connection,
    replay_id: int,
    original_id: int,
    effect: Effect,
    *,
    message_id: int | None = None,
    place: int | None = None,
) -> None:
    """Link a replay to its original."""
    values = {
        "replay_id": replay_id,
        "original_id": original_id,
        "message_id": message_id or original_id,
        "place": place or original_id,
        "effect": effect,
    }
    connection.execute(LINK, values)


def of_message(connection: sa.Connection, message_id: int) -> list[Replayed]:
    """Return every replay that a message took part in, as original or as edited from one."""
    return [Replayed(**row) for row in connection.execute(OF_MESSAGE, {"id": message_id}).mappings()]


def place_of(connection: sa.Connection, message_id: int) -> int:
    """Return whose place in inbox order a message takes: its own, unless it was edited from another."""
    found: int | None = connection.execute(PLACE, {"id": message_id}).scalar_one_or_none()
    return message_id if found is None else found


def made(connection: sa.Connection, replay_id: int) -> list[int]:
    """Return the messages that a replay let go."""
    return list(connection.execute(MADE, {"id": replay_id}).scalars())
