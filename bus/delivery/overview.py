"""How destinations stand, and their deliveries, for people: states, times and reasons, no patient data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from bus.delivery.control import Mode
from bus.delivery.decide import State
from bus.rules.destinations import AnyDestination

BREAKERS = sa.text(
    "SELECT key, value ->> 'breaker' AS breaker, value ->> 'problem' AS problem"
    " FROM bus.heartbeat, jsonb_each(detail)"
    " WHERE name = 'delivery' AND at > clock_timestamp() - interval '20 seconds'"
)
MODES = sa.text("SELECT name, mode, changed_at, changed_by, why FROM bus.destination")
OPEN = sa.text(
    "SELECT destination, state, count(*) AS number, min(queued_at) AS oldest FROM bus.delivery"
    " WHERE done_at IS NULL GROUP BY 1, 2"
)
DONE = sa.text(
    "SELECT destination, count(*) AS number,"
    " percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY extract(epoch FROM sent_at - queued_at))"
    " AS queued,"
    " percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY extract(epoch FROM answered_at - sent_at))"
    " AS ack, max(done_at) AS last"
    " FROM bus.delivery WHERE done_at > clock_timestamp() - interval '1 hour' AND state = 'delivered'"
    " AND destination = ANY(:names) GROUP BY 1"
)
DELIVERIES = sa.text(
    "SELECT d.id, d.destination, d.message_id, d.state, d.form, i.facility, i.message_type, i.control_id,"
    " d.attempts, d.queued_at, d.sent_at, d.answered_at, d.done_at, d.not_before, d.code, d.reason,"
    " d.decided_by, d.decided_at, d.decided_why, i.patient_number, d.generation, d.again_of,"
    " a.by AS again_by, a.at AS again_at, a.why AS again_why, d.sent_rules"
    " FROM bus.delivery d JOIN bus.inbox i ON i.id = d.message_id"
    " LEFT JOIN bus.delivery_again a ON a.id = d.again_id"
    " WHERE d.destination = :name AND d.id > :after"
    " AND (CAST(:state AS text) IS NULL OR d.state = :state)"
    " AND (CAST(:id AS bigint) IS NULL OR d.id = :id)"
    " AND (NOT :stuck OR (d.done_at IS NULL AND d.state IN ('ambiguous', 'parked')))"
    " ORDER BY d.id LIMIT :limit"
)
BEHIND = sa.text(
    "SELECT count(*) FROM bus.delivery d JOIN bus.delivery e ON e.destination = d.destination"
    " AND e.done_at IS NULL AND e.id > d.id AND e.state = 'queued'"
    " AND (e.patient_key IN (d.patient_key, d.other_key) OR e.other_key IN (d.patient_key, d.other_key))"
    " WHERE d.id = :id AND d.done_at IS NULL"
)
ANSWER = sa.text("SELECT answer FROM bus.delivery WHERE id = :id")


@dataclass(frozen=True, slots=True)
class Times:
    """Of what was delivered in the last hour, seconds."""

    delivered: int
    queued_median: float
    queued_p95: float
    ack_median: float
    ack_p95: float
    last: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """How one destination stands."""

    name: str
    kind: str | None
    """None: no file names it any more, and it still has a queue or a mode."""
    address: str | None
    facility: str | None
    mode: Mode
    changed_at: datetime | None
    changed_by: str | None
    why: str | None
    breaker: str | None
    """closed, open, half_open; standby or None when no process delivers to it."""
    problem: str | None
    """Why it has no line: a mistake in its file, a missing secret."""
    counts: Mapping[str, int]
    """Open deliveries by state."""
    oldest: datetime | None
    """When the first that is still queued was queued."""
    last_hour: Times | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message for one destination. `patient_number` is for the audit and not shown."""

    id: int
    destination: str
    message_id: int
    state: State
    form: str
    facility: str
    message_type: str
    control_id: str
    attempts: int
    queued_at: datetime
    sent_at: datetime | None
    answered_at: datetime | None
    done_at: datetime | None
    not_before: datetime | None
    code: str | None
    reason: str | None
    decided_by: str | None
    decided_at: datetime | None
    decided_why: str | None
    patient_number: str | None
    generation: int
    """0: as the rules sent it; then counting those that somebody sent again on purpose."""
    again_of: int | None
    """The delivery that it repeats, by whom, when and why."""
    again_by: str | None
    again_at: datetime | None
    again_why: str | None
    sent_rules: str | None
    """The rule set under which it last went out."""

    @property
    def queued_for(self) -> timedelta | None:
        """How long it was queued before it last went out."""
        return None if self.sent_at is None else self.sent_at - self.queued_at

    @property
    def acknowledged_in(self) -> timedelta | None:
        """How long its answer took."""
        if self.sent_at is None or self.answered_at is None:
            return None
        return self.answered_at - self.sent_at


def standings(connection: sa.Connection, specs: Mapping[str, AnyDestination]) -> list[Standing]:
    """Return how every destination stands, by name: those of the files, and others that still have rows."""
    modes = {row.name: row for row in connection.execute(MODES)}
    states: dict[str, dict[str, int]] = {}
    oldest: dict[str, datetime] = {}
    for row in connection.execute(OPEN):
        states.setdefault(row.destination, {})[row.state] = row.number
        if row.state == State.QUEUED.value:
            oldest[row.destination] = row.oldest
    beats = {row.key: row for row in connection.execute(BREAKERS)}
    names = sorted({*specs, *modes, *states})
    hours = {row.destination: _times(row) for row in connection.execute(DONE, {"names": names})}
    return [
        _standing(name, specs.get(name), modes.get(name), beats.get(name), states, oldest, hours)
        for name in names
    ]


def _standing(
    name: str,
    spec: AnyDestination | None,
    mode: sa.Row[tuple[object, ...]] | None,
    beat: sa.Row[tuple[object, ...]] | None,
    states: Mapping[str, Mapping[str, int]],
    oldest: Mapping[str, datetime],
    hours: Mapping[str, Times | None],
) -> Standing:
    return Standing(
        name=name,
        kind=spec.kind if spec else None,
        address=spec.address if spec else None,
        facility=spec.facility if spec else None,
        mode=Mode(mode.mode) if mode else Mode.RUNNING,
        changed_at=mode.changed_at if mode else None,
        changed_by=mode.changed_by if mode else None,
        why=mode.why if mode else None,
        breaker=beat.breaker if beat else None,
        problem=beat.problem if beat else None,
        counts=states.get(name, {}),
        oldest=oldest.get(name),
        last_hour=hours.get(name),
    )


def _times(row: sa.Row[tuple[object, ...]]) -> Times | None:
    """Return its times; None where none is known, as of messages that had no row for a table."""
    if row.queued is None or row.ack is None:
        return None
    (queued_median, queued_p95), (ack_median, ack_p95) = row.queued, row.ack
    return Times(row.number, queued_median, queued_p95, ack_median, ack_p95, row.last)


def deliveries(
    connection: sa.Connection,
    name: str,
    *,
    state: State | None = None,
    after: int = 0,
    limit: int = 50,
) -> list[Delivery]:
    """Return deliveries of a destination, oldest first, from behind the id `after`; without a state those
    that wait for a person.
    """
    return _read(connection, name, state=state, after=after, limit=limit, stuck=state is None)


def delivery(connection: sa.Connection, name: str, id_: int) -> Delivery | None:
    """Return one delivery of a destination, or None."""
    return next(iter(_read(connection, name, id_=id_)), None)


def waiting_behind(connection: sa.Connection, id_: int) -> int:
    """Return how many of the same patient are queued behind a delivery."""
    return int(connection.execute(BEHIND, {"id": id_}).scalar_one())


def answer(connection: sa.Connection, id_: int) -> bytes | None:
    """Return the last answer to a delivery, as it came; it may name the patient."""
    found = connection.execute(ANSWER, {"id": id_}).scalar_one_or_none()
    return None if found is None else bytes(found)


def _read(
    connection: sa.Connection,
    name: str,
    *,
    state: State | None = None,
    id_: int | None = None,
    after: int = 0,
    limit: int = 1,
    stuck: bool = False,
) -> list[Delivery]:
    values = {
        "name": name,
        "state": None if state is None else state.value,
        "id": id_,
        "after": after,
        "limit": limit,
        "stuck": stuck,
    }
    rows = connection.execute(DELIVERIES, values).mappings()
    return [Delivery(**{**row, "state": State(row["state"])}) for row in rows]
