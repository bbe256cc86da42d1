"""Queueing what subscribers are told: each change a message of our own, and its delivery, in one
transaction.

A subscriber has no more than `OPEN` deliveries open at a time; what else there is waits in the outbox, so
that neither a long outage nor everything that is there at once makes the queue long.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

import psycopg
import sqlalchemy as sa

from bus.delivery.queue import Queued
from bus.envelope import Arrival
from bus.inbox import accept_in
from bus.master_data.fitting import misfit
from bus.master_data.outbox import MESSAGE_TYPE, PROTOCOL
from bus.router.verdicts import Verdicts
from bus.router.work import READY, Row
from bus.rules.destinations import AnyDestination
from bus.rules.spec import Form
from consortium.terminology import subscribers
from consortium.terminology.model import GROUP
from consortium.terminology.subscribers import Subscriber
from runtime.settings import Settings

SENDER = "YILIAN"
OPEN = 200
"""Deliveries of a subscriber that are open at a time, at most."""

_WAITED_FOR = sa.text(
    "SELECT s.name FROM terminology.subscriber s WHERE EXISTS (SELECT FROM bus.outbox o"
    " WHERE o.destination = 'master-data:' || s.name AND o.delivered_at IS NULL) ORDER BY s.name"
)
_OPEN = sa.text(
    "SELECT count(*) FROM bus.delivery"
    " WHERE destination = :destination AND patient_key = :key AND done_at IS NULL"
)
_FIRST = sa.text(
    "SELECT id, dedupe_key, payload FROM bus.outbox WHERE destination = :lying AND delivered_at IS NULL"
    " ORDER BY id LIMIT :limit"
)
_TAKEN = sa.text(
    "UPDATE bus.outbox o SET delivered_at = clock_timestamp(), attempts = o.attempts + 1,"
    " message_id = t.message FROM unnest(CAST(:ids AS bigint[]), CAST(:messages AS bigint[]))"
    " AS t (id, message) WHERE o.id = t.id"
)


@dataclass(frozen=True, slots=True)
class Change:
    """A row of the outbox."""

    id: int
    dedupe_key: str
    payload: Mapping[str, Any]


def order_key(name: str) -> int:
    """Return by what a subscriber's deliveries keep their order, as a patient's do. It hides nothing."""
    digest = blake2b(subscribers.lying(name).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def arrival(name: str, change: Change) -> Arrival:
    """Return the message that tells a subscriber of a change: JSON in UTF-8.

    `change` in it names the change, and is the same however often it is told.
    """
    body = json.dumps({"change": change.dedupe_key, **change.payload}, ensure_ascii=False).encode()
    return Arrival(
        facility=GROUP,
        sender=SENDER,
        control_id=f"MD{change.id}",
        message_type=MESSAGE_TYPE + change.payload["kind"],
        body=body,
        charset="utf-8",
        protocol=PROTOCOL,
        endpoint=subscribers.lying(name),
        digest=blake2b(body, digest_size=32).digest(),
        message_time=change.payload["at"],
    )


class Teller:
    """Tells subscribers of changes, in the order of the changes."""

    def __init__(
        self,
        settings: Settings,
        engine: sa.Engine,
        specs: Callable[[sa.Connection], Mapping[str, AnyDestination]],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`specs` gives the deployed destinations by name."""
        self._key = settings.routing_key
        self._window = timedelta(days=settings.dedupe_days)
        self._engine = engine
        self._specs = specs
        self._clock = clock

    def step(self) -> bool:
        """Queue what there is room for; returns whether something was queued, so that more may follow.

        Of a subscriber whose transaction failed nothing was queued; the others are told all the same, and the
        error passes.
        """
        with self._engine.connect() as connection:
            names = connection.execute(_WAITED_FOR).scalars().all()
        told, failed = 0, None
        for name in names:
            try:
                told += self._tell(name)
            except Exception as error:  # noqa: BLE001 - raised below
                failed = error
        if failed is not None:
            raise failed
        return told > 0

    def _tell(self, name: str) -> int:
        with self._engine.begin() as connection:
            one = subscribers.alone(connection, name)
            if one is None or misfit(one, self._specs(connection)):
                return 0
            key = order_key(name)
            values = {"destination": one.destination, "key": key}
            room = OPEN - connection.execute(_OPEN, values).scalar_one()
            if room < max(1, OPEN // 4):
                return 0  # many at a time cost less than a few
            rows = connection.execute(_FIRST, {"lying": one.lying, "limit": room})
            changes = [Change(**row) for row in rows.mappings()]
            self._queue(connection, one, key, changes)
            return len(changes)

    def _queue(self, connection: sa.Connection, one: Subscriber, key: int, changes: Sequence[Change]) -> None:
        driver: Any = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)  # noqa: S101 - narrows: our engines are psycopg's
        arrivals = [arrival(one.name, change) for change in changes]
        receipts = accept_in(driver, arrivals, routing_key=self._key, window=self._window)
        verdicts = Verdicts()
        for change, receipt in zip(changes, receipts, strict=True):
            row = Row(receipt.id, (key,), READY, 0, None, False, 0, self._clock(), receipt.id)
            kind = change.payload["kind"]
            verdicts.record(row, None, {"kind": f"master data: {kind}", "change": change.dedupe_key})
            verdicts.deliver(Queued(one.destination, receipt.id, (key,), Form.RAW, None))
        verdicts.write(connection)
        values = {"ids": [change.id for change in changes], "messages": [receipt.id for receipt in receipts]}
        connection.execute(_TAKEN, values)
