"""The rows of one destination, as its line works on them. One statement each: what is told is committed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg
from psycopg.rows import class_row

from bus import trace
from bus.delivery.decide import Outcome, State
from bus.delivery.transport import Outgoing
from bus.rules.destinations import Destination, Order
from bus.rules.spec import Form

LOCKS: Final = 0x594C_4456
"""First key of the advisory locks by which one process owns a destination."""

_QUEUED = (
    "SELECT d.id FROM bus.delivery d WHERE d.destination = %(destination)s AND d.done_at IS NULL"
    " AND d.state = 'queued' AND (%(last)s::bigint IS NULL OR d.id <= %(last)s)"
)
# A patient's head is a queued row with no earlier open row that shares a patient with it. The first condition
# follows from the others (a stuck row was a head, so what is queued of its patient is behind it): it passes
# over thousands behind stuck ones by one hash instead of a look into the index for each.
_HEADS = (
    f"{_QUEUED} AND d.patient_key NOT IN (SELECT s.patient_key FROM bus.delivery s"  # noqa: S608 - constants
    " WHERE s.destination = %(destination)s AND s.done_at IS NULL AND s.state IN ('ambiguous', 'parked'))"
    " AND NOT EXISTS (SELECT FROM bus.delivery e WHERE e.destination = d.destination AND e.done_at IS NULL"
    " AND e.id < d.id AND e.patient_key IN (d.patient_key, d.other_key))"
    " AND NOT EXISTS (SELECT FROM bus.delivery e WHERE e.destination = d.destination AND e.done_at IS NULL"
    " AND e.id < d.id AND e.other_key IS NOT NULL AND e.other_key IN (d.patient_key, d.other_key))"
)
_CLAIM = (
    "WITH heads AS ({heads} AND (d.not_before IS NULL OR d.not_before <= now())"
    " ORDER BY d.id LIMIT %(limit)s FOR UPDATE SKIP LOCKED)"
    " UPDATE bus.delivery d SET state = 'claimed', attempts = d.attempts + 1 FROM heads WHERE d.id = heads.id"
    " RETURNING d.id, d.message_id, d.attempts AS attempt, d.refusals, d.tried_at"
)
_RELEASE = (
    "UPDATE bus.delivery SET state = 'queued' WHERE destination = %s AND id = ANY(%s) AND state = 'claimed'"
)
_LOAD = (
    "SELECT d.id, d.attempts AS attempt, d.message_id, i.message_type, i.charset, d.form,"
    " coalesce(d.body, i.body) AS body, d.queued_at"
    " FROM bus.delivery d JOIN bus.message i ON i.id = d.message_id"
    " WHERE d.id = %s AND d.attempts = %s AND d.state = 'claimed'"
)
_MARK = (
    "UPDATE bus.delivery SET state = 'in_flight', sent_at = clock_timestamp(), answered_at = NULL,"
    " tried_at = coalesce(tried_at, clock_timestamp()) WHERE id = %s AND attempts = %s AND state = 'claimed'"
    " RETURNING tried_at"
)
# Another process may have called it ambiguous meanwhile: a fitting answer is better than that.
_FINISH = (
    "WITH done AS (UPDATE bus.delivery SET state = %(state)s, code = %(code)s, reason = %(reason)s,"
    " answer = %(answer)s, not_before = %(not_before)s, refusals = refusals + %(refused)s,"
    " answered_at = sent_at + make_interval(secs => %(seconds)s),"
    " done_at = CASE WHEN %(state)s = 'delivered' THEN clock_timestamp() END"
    " WHERE id = %(id)s AND attempts = %(attempt)s AND state IN ('claimed', 'in_flight', 'ambiguous')"
    " RETURNING message_id, destination, queued_at, sent_at, answered_at),"
    " told AS (INSERT INTO bus.trace (message_id, step, detail) SELECT message_id, %(step)s,"
    " jsonb_strip_nulls(jsonb_build_object('destination', destination, 'code', %(code)s::text,"
    " 'queued_ms', round(extract(epoch FROM sent_at - queued_at) * 1000),"
    " 'ack_ms', round(extract(epoch FROM answered_at - sent_at) * 1000)))"
    " FROM done WHERE %(step)s::text IS NOT NULL)"
    " SELECT message_id FROM done"
)
_RECOVER = (
    "WITH left_over AS (UPDATE bus.delivery SET"
    " state = CASE WHEN state = 'in_flight' AND NOT %(resend)s THEN 'ambiguous' ELSE 'queued' END,"
    " code = CASE WHEN state = 'in_flight' THEN 'interrupted' ELSE code END,"
    " reason = CASE WHEN state = 'in_flight' THEN %(reason)s ELSE reason END"
    " WHERE destination = %(destination)s AND done_at IS NULL AND state IN ('claimed', 'in_flight')"
    " AND id <> ALL(%(mine)s) RETURNING message_id, state),"
    " told AS (INSERT INTO bus.trace (message_id, step, detail) SELECT message_id, %(step)s,"
    " jsonb_build_object('destination', %(destination)s::text, 'code', 'interrupted')"
    " FROM left_over WHERE state = 'ambiguous')"
    " SELECT count(*) FILTER (WHERE state = 'ambiguous') FROM left_over"
)
_INTERRUPTED = (
    "the delivery process ended while it was on the wire; ask the receiver whether it has it, then discard"
    " or resend"
)
_CONTROL = "SELECT mode, drain_to FROM bus.destination WHERE name = %s"
_DRAINED = (
    "UPDATE bus.destination SET mode = 'paused', changed_at = clock_timestamp()"
    " WHERE name = %(destination)s AND mode = 'draining' AND drain_to = %(last)s"
    " AND NOT EXISTS (SELECT FROM bus.delivery d WHERE d.destination = %(destination)s AND d.done_at IS NULL"
    " AND d.state IN ('claimed', 'in_flight')) AND NOT EXISTS ({heads})"
)
STEPS = {
    State.DELIVERED: trace.DELIVERED,
    State.AMBIGUOUS: trace.DELIVERY_AMBIGUOUS,
    State.PARKED: trace.DELIVERY_PARKED,
}


class NotOursError(Exception):
    """The delivery is not this attempt's any more: a person or another process took it."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A row taken for one attempt."""

    id: int
    message_id: int
    attempt: int
    refusals: int
    tried_at: datetime | None


@dataclass(frozen=True, slots=True)
class Control:
    """What people want of a destination."""

    paused: bool = False
    last: int | None = None
    """Draining: the last delivery that still goes."""


class Rows:
    """The rows of one destination over one connection in autocommit."""

    def __init__(self, connection: psycopg.AsyncConnection[Any], spec: Destination) -> None:
        self._connection = connection
        self._spec = spec
        heads = _HEADS if spec.order is Order.PATIENT else _QUEUED
        self._claim, self._drained = _CLAIM.format(heads=heads), _DRAINED.format(heads=heads)

    async def own(self) -> bool:
        """Try to become the one process that delivers to it, as long as the connection lives."""
        query = "SELECT pg_try_advisory_lock(%s, hashtext(%s))"
        row = await (await self._connection.execute(query, (LOCKS, self._spec.name))).fetchone()
        return row is not None and bool(row[0])

    async def recover(self, mine: Collection[int]) -> int:
        """Put right what an earlier owner left: claimed ones go back, what was on the wire is ambiguous.

        `mine` are those that this process itself still waits for. Returns how many are ambiguous.
        """
        values = {
            "destination": self._spec.name,
            "mine": list(mine),
            "resend": self._spec.resend_ambiguous,
            "reason": _INTERRUPTED,
            "step": trace.DELIVERY_AMBIGUOUS,
        }
        row = await (await self._connection.execute(_RECOVER, values)).fetchone()
        return 0 if row is None else int(row[0])

    async def control(self) -> Control:
        """Return whether it is paused or drained."""
        row = await (await self._connection.execute(_CONTROL, (self._spec.name,))).fetchone()
        if row is None or row[0] == "running":
            return Control()
        return Control(paused=True) if row[0] == "paused" else Control(last=row[1])

    async def claim(self, limit: int, last: int | None) -> list[Claim]:
        """Take the first due rows, one at most of each patient."""
        async with self._connection.cursor(row_factory=class_row(Claim)) as cursor:
            await cursor.execute(self._claim, {**self._of(last), "limit": limit})
            return sorted(await cursor.fetchall(), key=lambda claim: claim.id)

    async def release(self, claims: Sequence[Claim]) -> None:
        """Put claimed rows back: nothing of them went out."""
        if claims:
            await self._connection.execute(_RELEASE, (self._spec.name, [claim.id for claim in claims]))

    async def load(self, claim: Claim) -> Outgoing:
        """Return the message of a claim. Raises `NotOursError`."""
        row = await (await self._connection.execute(_LOAD, (claim.id, claim.attempt))).fetchone()
        if row is None:
            raise NotOursError
        id_, attempt, message_id, message_type, charset, form, body, queued_at = row
        return Outgoing(id_, attempt, message_id, message_type, charset, Form(form), bytes(body), queued_at)

    async def mark(self, claim: Claim) -> datetime:
        """Say that it goes on the wire now; returns when it first did. Raises `NotOursError`."""
        row = await (await self._connection.execute(_MARK, (claim.id, claim.attempt))).fetchone()
        if row is None:
            raise NotOursError
        first: datetime = row[0]
        return first

    async def finish(self, claim: Claim, outcome: Outcome, seconds: float | None) -> bool:
        """Write what became of an attempt; `seconds` from wire to answer. False when it is not ours any
        more.
        """
        values = {
            "id": claim.id,
            "attempt": claim.attempt,
            "state": outcome.state.value,
            "code": outcome.code,
            "reason": outcome.reason,
            "answer": outcome.answer,
            "not_before": outcome.not_before,
            "refused": int(outcome.refused),
            "seconds": seconds,
            "step": STEPS.get(outcome.state),
        }
        return await (await self._connection.execute(_FINISH, values)).fetchone() is not None

    async def end_drain(self, last: int) -> bool:
        """Pause it when all that was to go has gone; says whether it did."""
        return (await self._connection.execute(self._drained, self._of(last))).rowcount > 0

    def _of(self, last: int | None) -> dict[str, object]:
        return {"destination": self._spec.name, "last": last}
