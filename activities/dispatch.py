"""Delivers the outbox to Temporal: rows of destination `workflow` become workflow starts and signals.

At least once into an idempotent receiver: a start carries the workflow id of its dedupe key and is refused
when that workflow has run, a signal is one that may come twice. A crash before the commit does no harm.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
import structlog
from psycopg.rows import class_row
from psycopg.types.json import Jsonb
from pydantic import ValidationError
from temporalio.client import Client
from temporalio.service import RPCError

from activities.starts import Delivery
from consortium.errors import PermanentError, RetryableError

log = structlog.get_logger("activities.dispatch")

IDLE = 0.5
"""Seconds between looks at an empty outbox."""
PAUSE = 5.0
"""Seconds to wait when Temporal or PostgreSQL is away."""

_CLAIM = (
    "SELECT id, message_id, dedupe_key, payload, attempts FROM bus.outbox"
    " WHERE destination = 'workflow' AND delivered_at IS NULL"
    " AND (not_before IS NULL OR not_before <= clock_timestamp())"
    " ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED"
)
_DELIVERED = (
    "UPDATE bus.outbox SET delivered_at = clock_timestamp(), attempts = attempts + 1, last_error = NULL"
    " WHERE id = %s"
)
_FAILED = (
    "UPDATE bus.outbox SET attempts = attempts + 1, last_error = %s,"
    " not_before = clock_timestamp() + make_interval(secs => %s) WHERE id = %s"
)
_TRACE = "INSERT INTO bus.trace (message_id, step, detail) VALUES (%s, 'event', %s)"


@dataclass(frozen=True, slots=True)
class Row:
    """One event to deliver."""

    id: int
    message_id: int | None
    dedupe_key: str
    payload: dict[str, Any]
    attempts: int


def backoff(attempts: int) -> float:
    """Return the seconds to wait after that many failed attempts: 1, 2, 4 … at most 300."""
    return float(min(300, 2 ** min(attempts, 9)))


class Dispatcher:
    """Delivers due rows, one transaction each; several may run at once."""

    def __init__(self, database_url: str, client: Client, deliveries: Mapping[str, Delivery]) -> None:
        """Read the outbox of that database and deliver through that client."""
        self._database_url = database_url
        self._client = client
        self._deliveries = deliveries
        self.delivered = 0
        self.failed = 0

    async def run(self) -> None:
        """Deliver until cancelled. A database or server that is away is waited for."""
        while True:
            try:
                await self._connected()
            except psycopg.OperationalError as error:
                log.warning("dispatch_database_away", error=type(error).__name__)
                await asyncio.sleep(PAUSE)

    async def _connected(self) -> None:
        async with await psycopg.AsyncConnection.connect(
            self._database_url, connect_timeout=5, application_name="dispatch", autocommit=True
        ) as connection:
            pause = 0.0
            while True:
                await asyncio.sleep(pause)
                pause = await self._next(connection)

    async def _next(self, connection: psycopg.AsyncConnection[Any]) -> float:
        """Deliver one row; return the seconds until the next look."""
        try:
            return 0.0 if await self.deliver_one(connection) else IDLE
        except RetryableError:
            return PAUSE

    async def deliver_one(self, connection: psycopg.AsyncConnection[Any]) -> bool:
        """Deliver the first due row; False when none is due.

        Raises `RetryableError` when Temporal is away.
        """
        away: RetryableError | None = None
        async with connection.transaction(), connection.cursor(row_factory=class_row(Row)) as cursor:
            row = await (await cursor.execute(_CLAIM)).fetchone()
            if row is None:
                return False
            try:
                workflow = await self._deliver(row)
            except (RetryableError, PermanentError) as error:
                self.failed += 1
                log.warning("dispatch_failed", id=row.id, attempts=row.attempts + 1, reason=str(error))
                await cursor.execute(_FAILED, (str(error), backoff(row.attempts), row.id))
                away = error if isinstance(error, RetryableError) else None
            else:
                self.delivered += 1
                await cursor.execute(_DELIVERED, (row.id,))
                if row.message_id is not None:
                    await cursor.execute(_TRACE, (row.message_id, Jsonb({"workflow": workflow})))
        if away is not None:
            raise away
        return True

    async def _deliver(self, row: Row) -> str:
        event, _, subject = row.dedupe_key.partition(":")
        delivery = self._deliveries.get(event)
        if delivery is None:
            raise PermanentError(f"no workflow takes the event {event!r}; deploy the worker that knows it")
        try:
            return await delivery(self._client, subject, row.payload)
        except (ValidationError, ValueError, KeyError) as error:
            raise PermanentError(f"the event {event!r} is malformed: {type(error).__name__}") from error
        except RPCError as error:
            raise RetryableError(f"Temporal refused or did not answer: {error.status.name}") from error
