"""How arrivals become rows, as questions to a database; whoever drives it asks them, now or asynchronously.

The way of a new message is one statement of inserts.  Only what collides with a known control id is looked
up.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog

from bus.envelope import Arrival, Outcome, Receipt
from bus.inbox.arrays import ARRAY_OF, BIGINT, BYTEA, TEXT, blobs, integers, texts
from bus.inbox.decide import Known, decide
from bus.partition import message_key, patient_key
from consortium.errors import RetryableError

log = structlog.get_logger("bus.inbox")

Query = tuple[bytes, Sequence[Any]]
Asking = Generator[Query, list[Any], list[Receipt]]

_TEXTS = (
    "facility",
    "sender",
    "control_id",
    "message_type",
    "protocol",
    "endpoint",
    "charset",
    "patient_number",
    "visit_number",
    "message_time",
)
_ROUTING = ", ".join((*_TEXTS, "digest"))
_COLUMNS = f"{_ROUTING}, body"
_ARRAYS = ", ".join(["%b::text[]"] * len(_TEXTS) + ["%b::bytea[]"] * 2 + ["%b::bigint[]"] * 2)

HOPEFUL = f"""
WITH incoming AS MATERIALIZED (
  SELECT nextval('bus.inbox_id_seq') AS id, clock_timestamp() AS received_at, a.*
  FROM unnest({", ".join(f"${n}" for n in range(1, len(_TEXTS) + 5))}) AS a ({_COLUMNS}, patient_key,
  other_key) ), stored AS (
  INSERT INTO bus.inbox (id, received_at, {_ROUTING}, size) OVERRIDING SYSTEM VALUE
  SELECT id, received_at, {_ROUTING}, octet_length(body) FROM incoming
), kept AS (
  INSERT INTO bus.body (id, received_at, body) SELECT id, received_at, body FROM incoming
)
INSERT INTO bus.work (id, patient_key, other_key) SELECT id, patient_key, other_key FROM incoming RETURNING id
""".encode()  # noqa: S608 - the column names are the literals above
"""Stores messages of which none is known; fails with UniqueViolation, and stores nothing, when one is.

It costs the server a quarter less than INSERT, which looks before it writes. Gives the ids.
"""

HOPEFUL_TYPES = [ARRAY_OF[TEXT]] * len(_TEXTS) + [ARRAY_OF[BYTEA]] * 2 + [ARRAY_OF[BIGINT]] * 2

INSERT = f"""
WITH incoming AS MATERIALIZED (
  SELECT nextval('bus.inbox_id_seq') AS id, clock_timestamp() AS received_at, a.*
  FROM unnest({_ARRAYS}, %b::text[]) AS a ({_COLUMNS}, patient_key, other_key, further)
), stored AS (
  INSERT INTO bus.inbox (id, received_at, {_ROUTING}, size) OVERRIDING SYSTEM VALUE
  SELECT id, received_at, {_ROUTING}, octet_length(body) FROM incoming
  ON CONFLICT (facility, sender, control_id, generation) DO NOTHING
  RETURNING id
), kept AS (
  INSERT INTO bus.body (id, received_at, body)
  SELECT id, received_at, body FROM incoming WHERE id IN (SELECT id FROM stored)
), queued AS (
  INSERT INTO bus.work (id, patient_key, other_key)
  SELECT id, patient_key, other_key FROM incoming WHERE id IN (SELECT id FROM stored)
), of_several AS (
  INSERT INTO bus.work_further (id, patient_key)
  SELECT id, key FROM incoming, unnest(further::bigint[]) AS key WHERE id IN (SELECT id FROM stored)
)
SELECT incoming.id, stored.id IS NOT NULL FROM incoming LEFT JOIN stored USING (id) ORDER BY incoming.id
""".encode()  # noqa: S608 - the column names are the literals above
"""Stores what is new; gives, in the order of the arrays, each id and whether a row was stored under it."""

LOOKUP = b"""
SELECT a.place, i.id, i.generation, i.digest, i.received_at > clock_timestamp() - %b::interval
FROM unnest(%b::int[], %b::text[], %b::text[], %b::text[]) AS a (place, facility, sender, control_id)
JOIN bus.inbox AS i USING (facility, sender, control_id)
"""

INSERT_AGAIN = f"""
WITH incoming ({_COLUMNS}, generation) AS MATERIALIZED (
  SELECT {", ".join(["%b::text"] * len(_TEXTS))}, %b::bytea, %b::bytea, %b::smallint
), stored AS (
  INSERT INTO bus.inbox ({_ROUTING}, generation, size)
  SELECT {_ROUTING}, generation, octet_length(body) FROM incoming
  ON CONFLICT (facility, sender, control_id, generation) DO NOTHING
  RETURNING id, received_at
), kept AS (
  INSERT INTO bus.body (id, received_at, body) SELECT id, received_at, body FROM stored CROSS JOIN incoming
), queued AS (
  INSERT INTO bus.work (id, patient_key, other_key, state)
  SELECT id, %b::bigint, %b::bigint, %b::smallint FROM stored
), held AS (
  INSERT INTO bus.held (message_id, code, reason, step)
  SELECT id, 'control_id_conflict', %b::text, 'inbox' FROM stored WHERE %b::boolean
), of_several AS (
  INSERT INTO bus.work_further (id, patient_key) SELECT id, key FROM stored, unnest(%b::text::bigint[]) AS key
)
SELECT id FROM stored
""".encode()  # noqa: S608 - the column names are the literals above
"""Stores one message under another generation; gives no row when that generation was taken meanwhile."""

_TRIES = 20


@dataclass(frozen=True, slots=True)
class Storing:
    """What storing needs to know beside the arrivals."""

    routing_key: str
    window: timedelta
    """How long a control id stays known."""

    def hopeful(self, arrivals: Sequence[Arrival]) -> list[bytes]:
        """Return the parameters of HOPEFUL, in binary."""
        of = dict(zip(Arrival._fields, zip(*arrivals, strict=True), strict=True))
        columns = [texts(of[name]) for name in _TEXTS]
        columns += [blobs(of["digest"]), blobs(of["body"])]
        columns.append(integers([self._key(arrival, arrival.patient_number) for arrival in arrivals]))
        columns.append(integers([self._other(arrival) for arrival in arrivals]))
        return columns

    def run(self, arrivals: Sequence[Arrival]) -> Asking:
        """Ask what it takes to store these, and return a receipt for each, in their order."""
        keys = [self._key(arrival, arrival.patient_number) for arrival in arrivals]
        others = [self._other(arrival) for arrival in arrivals]
        rows = yield INSERT, [*_columns(arrivals, keys, others), [self.further(a) for a in arrivals]]
        receipts = [Receipt(row[0], Outcome.STORED) for row in rows]
        collided = [place for place, row in enumerate(rows) if not row[1]]
        if collided:
            known = yield LOOKUP, self._lookup(arrivals, collided)
            for place in collided:
                seen = [Known(*row[1:]) for row in known if row[0] == place]
                receipts[place] = yield from self._again(arrivals[place], keys[place], others[place], seen)
        return receipts

    def _again(
        self, arrival: Arrival, key: int, other: int | None, seen: list[Known]
    ) -> Generator[Query, list[Any], Receipt]:
        for _ in range(_TRIES):
            decision = decide(seen, arrival.digest)
            if decision.id is not None:
                return Receipt(decision.id, decision.outcome)
            held = decision.outcome is Outcome.CONFLICT
            reason = _conflict(seen) if held else ""
            row = [*values(arrival), decision.generation, key, other, int(held), reason, held]
            row.append(self.further(arrival))
            rows = yield INSERT_AGAIN, row
            if rows:
                if held:
                    _alert(arrival, rows[0][0], decision.generation)
                return Receipt(rows[0][0], decision.outcome)
            known = yield LOOKUP, self._lookup([arrival], [0])
            seen = [Known(*row[1:]) for row in known]
        raise RetryableError("a control id is being reused by many senders at once: send the message again")

    def _key(self, arrival: Arrival, number: str | None) -> int:
        if number is None:
            return message_key(arrival.facility, arrival.control_id, self.routing_key)
        return patient_key(arrival.facility, number, self.routing_key)

    def _other(self, arrival: Arrival) -> int | None:
        number = arrival.other_patient_number
        return None if number is None else patient_key(arrival.facility, number, self.routing_key)

    def further(self, arrival: Arrival) -> str | None:
        """Return the keys of all patients of a message about several, as PostgreSQL writes an array."""
        if not arrival.further_patient_numbers:
            return None
        numbers = (arrival.patient_number, *arrival.further_patient_numbers)
        keys = {self._key(arrival, number) for number in numbers}
        return f"{{{','.join(map(str, sorted(keys)))}}}"

    def _lookup(self, arrivals: Sequence[Arrival], places: list[int]) -> Sequence[Any]:
        found = [arrivals[place] for place in places]
        texts = ([a.facility for a in found], [a.sender for a in found], [a.control_id for a in found])
        return [self.window, places, *texts]


def values(arrival: Arrival) -> list[Any]:
    """Return the columns of a message as INSERT_AGAIN takes them first."""
    return [*(getattr(arrival, name) for name in _TEXTS), arrival.digest, arrival.body]


def _columns(arrivals: Sequence[Arrival], keys: list[int], others: list[int | None]) -> list[list[Any]]:
    columns = [[getattr(arrival, name) for arrival in arrivals] for name in _TEXTS]
    return [*columns, [a.digest for a in arrivals], [a.body for a in arrivals], keys, others]


def _conflict(seen: Sequence[Known]) -> str:
    earlier = max(message.id for message in seen if message.fresh)
    return (
        f"the control id was used before, by message {earlier} with other content: compare the two, ask the"
        " sender, then release or discard this one"
    )


def _alert(arrival: Arrival, message_id: int, generation: int) -> None:
    log.warning(
        "control_id_conflict",
        message_id=message_id,
        facility=arrival.facility,
        message_type=arrival.message_type,
        endpoint=arrival.endpoint,
        generation=generation,
    )
