"""Trace rows: the steps of a message that happened, with the transaction that made them happen."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa

PUBLISHED: Final = "published"
RECORDED: Final = "recorded"
HELD: Final = "held"
WAITING: Final = "waiting"
RETRY: Final = "retry"
RELEASED: Final = "released"
REPLAYED: Final = "replayed"
EVENT: Final = "event"
DISCARDED: Final = "discarded"
DELIVERY_QUEUED: Final = "delivery_queued"
DELIVERED: Final = "delivered"
DELIVERY_AMBIGUOUS: Final = "delivery_ambiguous"
DELIVERY_PARKED: Final = "delivery_parked"
DELIVERY_RESENT: Final = "delivery_resent"
DELIVERY_AGAIN: Final = "delivery_again"
DELIVERY_DISCARDED: Final = "delivery_discarded"

WRITE = sa.text(
    "INSERT INTO bus.trace (message_id, step, detail)"
    " SELECT * FROM unnest(CAST(:ids AS bigint[]), CAST(:steps AS text[]), CAST(:details AS jsonb[]))"
)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of one message. `detail` holds references and counts, never a patient's data."""

    message_id: int
    step: str
    detail: Mapping[str, Any] = field(default_factory=dict)


def write(connection: sa.Connection, steps: Sequence[Step]) -> None:
    """Write trace rows in the caller's transaction."""
    if not steps:
        return
    connection.execute(
        WRITE,
        {
            "ids": [s.message_id for s in steps],
            "steps": [s.step for s in steps],
            "details": [json.dumps(s.detail, ensure_ascii=False) for s in steps],
        },
    )
