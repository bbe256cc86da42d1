"""How everything stands, as `status` tells it: data first, for both of its faces."""

from __future__ import annotations

import time
from dataclasses import dataclass

from runtime import memory, state
from runtime.plan import Condition
from runtime.process import Identity
from runtime.state import State

STALE = 20.0
"""Seconds after which the supervisor's record is no longer believed."""


@dataclass(frozen=True, slots=True)
class Line:
    """One service."""

    name: str
    healthy: bool
    state: str
    url: str
    detail: str
    pid: int
    restarts: int
    memory: int
    """PSS, bytes."""


@dataclass(frozen=True, slots=True)
class Report:
    """All services."""

    running: bool
    healthy: bool
    lines: tuple[Line, ...]
    supervisor_memory: int

    @property
    def memory(self) -> int:
        """PSS of everything, bytes."""
        return sum(line.memory for line in self.lines) + self.supervisor_memory


def explain(name: str, conditions: dict[str, Condition], running: bool, stale: bool) -> str:
    """Return the sentence on one service: what it tells, what is wrong, or what it waits for."""
    condition = conditions[name]
    if not running:
        return "stopped"
    if stale:
        return "the supervisor has not written for a while"
    if condition.state == "waiting":
        blocking = [
            f"{n}: {c.error}" if c.error else n for n, c in conditions.items() if not c.ready and c.job
        ]
        return f"waiting for {'; '.join(blocking)}" if blocking else "waiting for the services it needs"
    told = condition.detail if condition.ready else (condition.error or condition.state)
    return f"optional: {told}" if condition.optional and not condition.ready else told


def take(record: State | None) -> Report:
    """Return the report on what the supervisor wrote last and on the processes as they are now."""
    if record is None or not record.running:
        return Report(False, False, (), 0)
    stale = time.time() - record.written > STALE
    lines = tuple(
        Line(
            name=name,
            healthy=condition.ready and not stale,
            state=condition.state,
            url=condition.url,
            detail=explain(name, record.conditions, True, stale),
            pid=condition.pid,
            restarts=condition.restarts,
            memory=memory.pss(Identity(*member) for member in condition.members),
        )
        for name, condition in record.conditions.items()
        if not condition.job
    )
    healthy = record.ready and not stale and not record.stopping
    return Report(True, healthy, lines, memory.pss([record.supervisor]))


def now() -> Report:
    """Return the report on this home."""
    return take(state.read())
