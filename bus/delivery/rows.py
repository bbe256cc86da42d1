"""The rows of one destination, as its line works on them. One statement each: what is told is committed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

import psycopg
from psycopg.rows import class_row

from bus import trace
from bus.delivery.decide import Outcome, State
from bus.delivery.kept import Kept
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
    " AND (%(version)s::text IS NULL"
    " OR %(version)s = (SELECT digest FROM bus.rule_activation ORDER BY id DESC LIMIT 1))"
    " ORDER BY d.id LIMIT %(limit)s FOR UPDATE SKIP LOCKED)"
    " UPDATE bus.delivery d SET state = 'claimed', attempts = d.attempts + 1 FROM heads WHERE d.id = heads.id"
    " RETURNING d.id, d.message_id, d.attempts AS attempt, d.refusals, d.tried_at"
)
_RELEASE = (
    "UPDATE bus.delivery SET state = 'queued' WHERE destination = %s AND id = ANY(%s) AND state = 'claimed'"
)
# A window over sizes, which need no look at what is stored out of line: what is over the limit stays there.
_LOAD = (
    "SELECT id, attempt, message_id, message_type, charset, form, body, queued_at, control_id,"
    " again_of FROM ("
    " SELECT d.id, d.attempts AS attempt, d.message_id, i.message_type, i.charset, d.form,"
    " coalesce(d.body, i.body) AS body, d.queued_at, i.control_id, d.again_of,"
    " sum(octet_length(coalesce(d.body, i.body))) OVER (ORDER BY c.place) AS size,"
    " row_number() OVER (ORDER BY c.place) AS place"
    " FROM unnest(%(ids)s::bigint[], %(attempts)s::int[]) WITH ORDINALITY AS c (id, attempt, place)"
    " JOIN bus.delivery d ON d.id = c.id AND d.attempts = c.attempt AND d.state = %(state)s"
    " JOIN bus.message i ON i.id = d.message_id) AS wanted"
    " WHERE size <= %(bytes)s OR place = 1 ORDER BY place"
)
# One statement, so one commit: no byte goes out that is not kept. Another process may have called a row
# ambiguous meanwhile: a fitting answer is better than that.
_SETTLE = (
    "WITH ended AS (UPDATE bus.delivery d SET state = e.state, code = e.code, reason = e.reason,"
    " answer = e.answer, not_before = e.not_before, refusals = d.refusals + e.refused,"
    " answered_at = d.sent_at + make_interval(secs => e.seconds),"
    " done_at = CASE WHEN e.state = 'delivered' THEN clock_timestamp() END"
    " FROM unnest(%(ids)s::bigint[], %(attempts)s::int[], %(states)s::text[], %(codes)s::text[],"
    " %(reasons)s::text[], %(answers)s::bytea[], %(not_before)s::timestamptz[], %(refused)s::int[],"
    " %(seconds)s::float8[], %(steps)s::text[])"
    " AS e (id, attempt, state, code, reason, answer, not_before, refused, seconds, step)"
    " WHERE d.id = e.id AND d.attempts = e.attempt AND d.state IN ('claimed', 'in_flight', 'ambiguous')"
    " RETURNING d.id, d.message_id, d.destination, d.queued_at, d.sent_at, d.answered_at, e.code, e.step),"
    " told AS (INSERT INTO bus.trace (message_id, step, detail) SELECT message_id, step,"
    " jsonb_strip_nulls(jsonb_build_object('destination', destination, 'code', code,"
    " 'queued_ms', round(extract(epoch FROM sent_at - queued_at) * 1000),"
    " 'ack_ms', round(extract(epoch FROM answered_at - sent_at) * 1000)))"
    " FROM ended WHERE step IS NOT NULL),"
    " marked AS (UPDATE bus.delivery d SET state = 'in_flight', sent_at = clock_timestamp(),"
    " answered_at = NULL, tried_at = coalesce(d.tried_at, clock_timestamp()), sent_digest = m.digest,"
    " sent_rules = m.rules"
    " FROM unnest(%(marked)s::bigint[], %(marked_attempts)s::int[], %(digests)s::bytea[], %(rules)s::text[])"
    " AS m (id, attempt, digest, rules)"
    " WHERE d.id = m.id AND d.attempts = m.attempt AND d.state = 'claimed'"
    " RETURNING d.id, d.tried_at, d.queued_at, d.sent_at),"
    " kept AS (INSERT INTO bus.sent AS s (id, queued_at, sent_at, charset, place, body)"
    " SELECT m.id, m.queued_at, m.sent_at, k.charset, k.place, k.body FROM marked m"
    " JOIN unnest(%(kept)s::bigint[], %(charsets)s::text[], %(places)s::text[], %(bodies)s::bytea[])"
    " AS k (id, charset, place, body) ON k.id = m.id"
    " ON CONFLICT (id, queued_at) DO UPDATE SET sent_at = excluded.sent_at, charset = excluded.charset,"
    " place = excluded.place, body = excluded.body)"
    " SELECT id, NULL::timestamptz FROM ended UNION ALL SELECT id, tried_at FROM marked"
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
_AMBIGUOUS = (
    "SELECT id, message_id, attempts AS attempt, refusals, tried_at FROM bus.delivery"
    " WHERE destination = %(destination)s AND done_at IS NULL AND state = 'ambiguous'"
    " AND sent_at <= clock_timestamp() - make_interval(secs => %(seconds)s) AND id <> ALL(%(later)s)"
    " ORDER BY id LIMIT 64"
)
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


class Marking(Protocol):
    """An attempt that goes on the wire."""

    @property
    def claim(self) -> Claim:
        """Whose."""
        ...

    @property
    def kept(self) -> Kept:
        """What goes out."""
        ...


class Telling(Protocol):
    """An attempt that has ended."""

    @property
    def claim(self) -> Claim:
        """Whose."""
        ...

    @property
    def outcome(self) -> Outcome:
        """What became of it."""
        ...

    @property
    def seconds(self) -> float | None:
        """From wire to answer."""
        ...


@dataclass(frozen=True, slots=True)
class Settled:
    """What was written. What is missing is not its attempt's any more: somebody else took it."""

    marked: Mapping[int, datetime]
    """By delivery, when it first went on the wire."""
    ended: frozenset[int]


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

    async def claim(self, limit: int, last: int | None, version: str | None = None) -> list[Claim]:
        """Take the first due rows, one at most of each patient; none while another rule set than `version`
        is active.

        What a set has queued is not seen before that set is: it is never sent as an earlier one says.
        """
        async with self._connection.cursor(row_factory=class_row(Claim)) as cursor:
            await cursor.execute(self._claim, {**self._of(last), "limit": limit, "version": version})
            return sorted(await cursor.fetchall(), key=lambda claim: claim.id)

    async def release(self, claims: Sequence[Claim]) -> None:
        """Put claimed rows back: nothing of them went out."""
        if claims:
            await self._connection.execute(_RELEASE, (self._spec.name, [claim.id for claim in claims]))

    async def ambiguous(self, seconds: float, later: Sequence[int]) -> list[Claim]:
        """Return ambiguous ones that went out so long ago, the oldest first, without those of `later`."""
        async with self._connection.cursor(row_factory=class_row(Claim)) as cursor:
            values = {"destination": self._spec.name, "seconds": seconds, "later": list(later)}
            await cursor.execute(_AMBIGUOUS, values)
            return await cursor.fetchall()

    async def load(self, claims: Sequence[Claim], size: int, state: State = State.CLAIMED) -> list[Outgoing]:
        """Return the messages of claims in their order, the first of them and others up to so many bytes.

        One that is not its claim's any more is missing.
        """
        values = {
            "ids": [c.id for c in claims],
            "attempts": [c.attempt for c in claims],
            "bytes": size,
            "state": state.value,
        }
        rows = await (await self._connection.execute(_LOAD, values)).fetchall()
        return [_outgoing(*row) for row in rows]

    async def settle(self, marks: Sequence[Marking], ended: Sequence[Telling]) -> Settled:
        """Say that some go on the wire now, and what became of others, in one commit."""
        outcomes = [one.outcome for one in ended]
        kept = [(mark.claim.id, mark.kept) for mark in marks if mark.kept.has_row]
        values = {
            "ids": [one.claim.id for one in ended],
            "attempts": [one.claim.attempt for one in ended],
            "states": [outcome.state.value for outcome in outcomes],
            "codes": [outcome.code for outcome in outcomes],
            "reasons": [outcome.reason for outcome in outcomes],
            "answers": [outcome.answer for outcome in outcomes],
            "not_before": [outcome.not_before for outcome in outcomes],
            "refused": [int(outcome.refused) for outcome in outcomes],
            "seconds": [one.seconds for one in ended],
            "steps": [STEPS.get(outcome.state) for outcome in outcomes],
            "marked": [mark.claim.id for mark in marks],
            "marked_attempts": [mark.claim.attempt for mark in marks],
            "digests": [mark.kept.digest for mark in marks],
            "rules": [mark.kept.rules for mark in marks],
            "kept": [id_ for id_, _ in kept],
            "charsets": [one.charset for _, one in kept],
            "places": [one.place for _, one in kept],
            "bodies": [one.body for _, one in kept],
        }
        rows = await (await self._connection.execute(_SETTLE, values)).fetchall()
        first = {id_: tried_at for id_, tried_at in rows if tried_at is not None}
        return Settled(first, frozenset(id_ for id_, tried_at in rows if tried_at is None))

    async def end_drain(self, last: int) -> bool:
        """Pause it when all that was to go has gone; says whether it did."""
        return (await self._connection.execute(self._drained, self._of(last))).rowcount > 0

    def _of(self, last: int | None) -> dict[str, object]:
        return {"destination": self._spec.name, "last": last}


def _outgoing(
    id_: int,
    attempt: int,
    message_id: int,
    message_type: str,
    charset: str,
    form: str,
    body: bytes,
    queued_at: datetime,
    control_id: str,
    again_of: int | None,
) -> Outgoing:
    return Outgoing(
        id_,
        attempt,
        message_id,
        message_type,
        charset,
        Form(form),
        bytes(body),
        queued_at,
        control_id,
        again_of,
    )
