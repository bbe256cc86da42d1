"""What a batch decides about its messages, written in bulk at its end."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bus import trace
from bus.delivery import queue
from bus.router import numbers
from bus.router.work import ASIDE, HELD, NARROW, Row
from bus.rules.decision import Hold, Miss
from consortium.records.model import Change

DONE = sa.text("DELETE FROM bus.work WHERE id = ANY(:ids)")
STATES = sa.text(
    "UPDATE bus.work w SET state = v.state, blocked_by = v.blocked_by, attempts = v.attempts,"
    " not_before = NULL FROM unnest(CAST(:ids AS bigint[]), CAST(:states AS smallint[]),"
    " CAST(:blockers AS bigint[]), CAST(:attempts AS smallint[]))"
    " AS v (id, state, blocked_by, attempts) WHERE w.id = v.id"
)
LATER = sa.text(
    "UPDATE bus.work w SET attempts = v.attempts, not_before = v.not_before, published_at = NULL"
    " FROM unnest(CAST(:ids AS bigint[]), CAST(:attempts AS smallint[]), CAST(:times AS timestamptz[]))"
    " AS v (id, attempts, not_before) WHERE w.id = v.id"
)
HOLDS = sa.text(
    "INSERT INTO bus.held (message_id, code, reason, rule, step, field, code_table, source_code)"
    " SELECT * FROM unnest(CAST(:ids AS bigint[]), CAST(:codes AS text[]), CAST(:reasons AS text[]),"
    " CAST(:rules AS text[]), CAST(:steps AS text[]), CAST(:fields AS text[]),"
    " CAST(:tables AS text[]), CAST(:missed AS text[]))"
)
EVENTS = sa.text(
    "INSERT INTO bus.outbox (message_id, destination, dedupe_key, payload)"
    " SELECT m, 'workflow', k, p"
    " FROM unnest(CAST(:ids AS bigint[]), CAST(:keys AS text[]), CAST(:payloads AS jsonb[])) AS v (m, k, p)"
    " ON CONFLICT (destination, dedupe_key) DO NOTHING"
)
NUMBERS = sa.text(
    "INSERT INTO bus.numbered (number, message_id)"
    " SELECT * FROM unnest(CAST(:numbers AS text[]), CAST(:ids AS bigint[])) ON CONFLICT DO NOTHING"
)
# In one order, so that two routers that miss the same codes do not wait for each other in a circle.
UNMAPPED = sa.text(
    "INSERT INTO bus.unmapped AS u (facility, code_table, code, count)"
    " SELECT * FROM unnest(CAST(:facilities AS text[]), CAST(:tables AS text[]), CAST(:codes AS text[]),"
    " CAST(:counts AS bigint[])) AS v (f, t, c, n) ORDER BY f, t, c"
    " ON CONFLICT (facility, code_table, code)"
    " DO UPDATE SET count = u.count + excluded.count, last_at = clock_timestamp()"
)
CODE_LIMIT = 200
"""Characters kept of a code that no table knows."""


def kept(miss: Miss) -> str:
    """Return a code as it is kept: no longer than the limit, without what PostgreSQL's text cannot hold."""
    return miss.code.replace("\0", "")[:CODE_LIMIT]


@dataclass(slots=True)
class Verdicts:
    """The verdicts of one pass over a batch, in memory until `write`."""

    rules: str | None = None
    """Short digest of the rule set that decided: every step says it."""
    done: list[int] = field(default_factory=list)
    wide: list[int] = field(default_factory=list)
    """Of those done, the ones of several patients."""
    held: list[tuple[Row, Hold, int]] = field(default_factory=list)
    waiting: list[tuple[Row, int]] = field(default_factory=list)
    later: list[tuple[Row, int, datetime]] = field(default_factory=list)
    events: list[tuple[int, str, Mapping[str, Any]]] = field(default_factory=list)
    steps: list[trace.Step] = field(default_factory=list)
    misses: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    deliveries: list[queue.Queued] = field(default_factory=list)
    numbers: list[tuple[str, int]] = field(default_factory=list)

    def record(self, row: Row, rule: str | None, detail: Mapping[str, Any]) -> None:
        """The message's effects are in this transaction."""
        self.done.append(row.id)
        self.wide += [row.id] if len(row.keys) > 1 else []
        self.steps.append(trace.Step(row.id, trace.RECORDED, self._under({"rule": rule, **detail})))

    def number(self, row: Row, change: Change) -> None:
        """It can be found by the numbers of what it says."""
        self.numbers += [(number, row.id) for number in numbers.numbers(change)]

    def event(self, row: Row, dedupe_key: str, payload: Mapping[str, Any]) -> None:
        """Somebody is to be told of it."""
        self.events.append((row.id, dedupe_key, payload))
        self.steps.append(trace.Step(row.id, trace.EVENT, {"dedupe_key": dedupe_key}))

    def deliver(self, queued: queue.Queued) -> None:
        """It goes to another system, too."""
        self.deliveries.append(queued)

    def hold(self, row: Row, hold: Hold, *, blocks: bool) -> None:
        """It cannot go on."""
        self.held.append((row, hold, HELD if blocks else ASIDE))
        detail = {"code": hold.code, "rule": hold.rule, "step": hold.step, "field": hold.field}
        self.steps.append(trace.Step(row.id, trace.HELD, self._under(detail)))

    def wait(self, row: Row, blocker: int) -> None:
        """It waits behind a held one."""
        self.waiting.append((row, blocker))
        self.steps.append(trace.Step(row.id, trace.WAITING, self._under({"blocked_by": blocker})))

    def retry(self, row: Row, at: datetime, error: str) -> None:
        """It failed, and is tried again at a time."""
        self.later.append((row, row.attempts + 1, at))
        detail = {"error": error, "attempts": row.attempts + 1}
        self.steps.append(trace.Step(row.id, trace.RETRY, self._under(detail)))

    def wait_for_store(self, row: Row, at: datetime) -> None:
        """The documents' store is away: it is tried again, however often; the trace tells the first time."""
        self.later.append((row, max(row.attempts, 1), at))
        if row.attempts == 0:
            detail = {"error": "StoreAwayError", "attempts": 1}
            self.steps.append(trace.Step(row.id, trace.RETRY, self._under(detail)))

    def follow(self, row: Row, at: datetime) -> None:
        """It stands behind one of its patient that was put off, and rings again with it."""
        self.later.append((row, row.attempts, at))

    def miss(self, facility: str, misses: tuple[Miss, ...]) -> None:
        """Count codes that no table knows."""
        for miss in misses:
            self.misses[facility, miss.table, kept(miss)] += 1

    def _under(self, detail: Mapping[str, Any]) -> Mapping[str, Any]:
        return detail if self.rules is None else {**detail, "rules": self.rules}

    def write(self, connection: sa.Connection) -> None:
        """Write them all, some statements for the whole batch."""
        if self.held or self.waiting:
            self._write_states(connection)
        if self.held:
            self._write_holds(connection)
        if self.later:
            rows, attempts, times = zip(*self.later, strict=True)
            values = {"ids": [r.id for r in rows], "attempts": list(attempts), "times": list(times)}
            connection.execute(LATER, values)
        if self.events:
            ids, keys, payloads = zip(*self.events, strict=True)
            documents = [json.dumps(payload, ensure_ascii=False) for payload in payloads]
            connection.execute(EVENTS, {"ids": list(ids), "keys": list(keys), "payloads": documents})
        queue.write(connection, self.deliveries)
        if self.numbers:
            found, ids = zip(*self.numbers, strict=True)
            connection.execute(NUMBERS, {"numbers": list(found), "ids": list(ids)})
        if self.done:
            connection.execute(DONE, {"ids": self.done})
        if self.wide:
            connection.execute(NARROW, {"ids": self.wide})
        trace.write(connection, self.steps)
        if self.misses:
            self._write_misses(connection)

    def _write_states(self, connection: sa.Connection) -> None:
        states: list[tuple[int, int, int | None, int]] = [
            (row.id, state, None, 0) for row, _, state in self.held
        ]
        states += [(row.id, 2, blocker, row.attempts) for row, blocker in self.waiting]
        ids, values, blockers, attempts = (list(column) for column in zip(*states, strict=True))
        connection.execute(STATES, {"ids": ids, "states": values, "blockers": blockers, "attempts": attempts})

    def _write_holds(self, connection: sa.Connection) -> None:
        holds = [hold for _, hold, _ in self.held]
        connection.execute(
            HOLDS,
            {
                "ids": [row.id for row, _, _ in self.held],
                "codes": [hold.code for hold in holds],
                "reasons": [hold.reason for hold in holds],
                "rules": [hold.rule for hold in holds],
                "steps": [hold.step for hold in holds],
                "fields": [hold.field for hold in holds],
                "tables": [hold.miss.table if hold.miss else None for hold in holds],
                "missed": [kept(hold.miss) if hold.miss else None for hold in holds],
            },
        )

    def _write_misses(self, connection: sa.Connection) -> None:
        facilities, tables, codes = zip(*self.misses, strict=True)
        counts = list(self.misses.values())
        values = {
            "facilities": list(facilities),
            "tables": list(tables),
            "codes": list(codes),
            "counts": counts,
        }
        connection.execute(UNMAPPED, values)
