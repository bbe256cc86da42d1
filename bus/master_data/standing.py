"""How subscribers stand: what waits for each, what was sent last, and why nothing goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bus.master_data.fitting import Problem, misfit
from bus.master_data.telling import OPEN, order_key
from bus.rules.destinations import AnyDestination
from consortium.terminology import subscribers
from consortium.terminology.subscribers import Subscriber

_OF_EACH = (
    "FROM unnest(CAST(:names AS text[]), CAST(:lying AS text[]), CAST(:destinations AS text[]),"
    " CAST(:keys AS bigint[])) AS s (name, lying, destination, key)"
)
# Of the newest that were queued, no more than `OPEN` are on their way: what was sent last is among these.
_STANDINGS = sa.text(
    "SELECT s.name, lies.number + queued.number AS waiting, least(lies.oldest, queued.oldest) AS oldest,"  # noqa: S608 - a constant
    f" queued.stuck, sent.at AS sent_at {_OF_EACH}"
    " CROSS JOIN LATERAL (SELECT count(*) AS number, min(o.created_at) AS oldest FROM bus.outbox o"
    " WHERE o.destination = s.lying AND o.delivered_at IS NULL) lies"
    " CROSS JOIN LATERAL (SELECT count(*) AS number, min(coalesce(o.created_at, d.queued_at)) AS oldest,"
    " count(*) FILTER (WHERE d.state IN ('ambiguous', 'parked')) AS stuck FROM bus.delivery d"
    " LEFT JOIN bus.outbox o ON o.destination = s.lying AND o.message_id = d.message_id"
    " AND o.destination <> 'workflow' WHERE d.destination = s.destination AND d.patient_key = s.key"
    " AND d.done_at IS NULL) queued"
    " CROSS JOIN LATERAL (SELECT max(d.done_at) AS at FROM (SELECT o.message_id FROM bus.outbox o"
    " WHERE o.destination = s.lying AND o.message_id IS NOT NULL AND o.destination <> 'workflow'"
    " ORDER BY o.message_id DESC LIMIT :newest) o JOIN bus.delivery d ON d.message_id = o.message_id"
    " AND d.state = 'delivered') sent ORDER BY s.name"
)
_UNHANDED = sa.text(
    "SELECT s.name, s.destination, extract(epoch FROM clock_timestamp() - o.created_at)::float8 AS seconds"  # noqa: S608 - a constant
    f" {_OF_EACH} CROSS JOIN LATERAL (SELECT created_at FROM bus.outbox"
    " WHERE destination = s.lying AND delivered_at IS NULL ORDER BY id LIMIT 1) o"
    " WHERE NOT EXISTS (SELECT FROM bus.delivery d WHERE d.destination = s.destination"
    " AND d.patient_key = s.key AND d.done_at IS NULL) ORDER BY s.name"
)


@dataclass(frozen=True, slots=True)
class Standing:
    """How one subscriber stands."""

    subscriber: Subscriber
    waiting: int
    """Changes that it was not told yet, queued ones among them."""
    oldest: datetime | None
    """When the first of those was made."""
    sent_at: datetime | None
    """When it took the last one; None: none, or retention has forgotten it."""
    problem: Problem | None


@dataclass(frozen=True, slots=True)
class Unhanded:
    """Changes that wait while nothing of their subscriber is queued at its destination."""

    name: str
    destination: str
    seconds: float
    """That the first has waited."""


def standings(connection: sa.Connection, specs: Mapping[str, AnyDestination]) -> list[Standing]:
    """Return how every subscriber stands, by name. `specs`: the deployed destinations."""
    found = subscribers.listed(connection)
    rows = {row.name: row for row in connection.execute(_STANDINGS, {**_each(found), "newest": 2 * OPEN})}
    return [_standing(one, rows[one.name], specs) for one in found]


def unhanded(connection: sa.Connection) -> list[Unhanded]:
    """Return whose changes wait although nothing of theirs is queued: their destination is missing or unfit,
    or delivery does not run. Where a destination takes nothing, its own figures tell.
    """
    rows = connection.execute(_UNHANDED, _each(subscribers.listed(connection)))
    return [Unhanded(*row) for row in rows]


def _each(found: Sequence[Subscriber]) -> dict[str, list[Any]]:
    return {
        "names": [one.name for one in found],
        "lying": [one.lying for one in found],
        "destinations": [one.destination for one in found],
        "keys": [order_key(one.name) for one in found],
    }


def _standing(one: Subscriber, row: sa.Row[Any], specs: Mapping[str, AnyDestination]) -> Standing:
    problem = misfit(one, specs) or (_stuck(one, row.stuck) if row.stuck else None)
    return Standing(one, row.waiting, row.oldest, row.sent_at, problem)


def _stuck(one: Subscriber, number: int) -> Problem:
    look = f"./yilian destinations show {one.destination}"
    return Problem(
        f"{number} waits for a person, and what follows waits behind it: {look}",
        f"有 {number} 条需人工处理，其后的变更随之等待：{look}",
    )
