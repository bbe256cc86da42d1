"""What is told of a destination's deliveries, written together: one commit for all since the last."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

import psycopg
import structlog

from bus.delivery.decide import Outcome
from bus.delivery.kept import Kept
from bus.delivery.rows import Claim, NotOursError, Rows

log = structlog.get_logger("bus.delivery")

GROUP = 256
"""Marks, and outcomes, in one commit at most."""


@dataclass(frozen=True, slots=True)
class Ended:
    """An attempt that has ended."""

    claim: Claim
    outcome: Outcome
    seconds: float | None
    """From wire to answer."""


@dataclass(frozen=True, slots=True)
class Mark:
    """An attempt that goes on the wire once this is written."""

    claim: Claim
    kept: Kept
    done: asyncio.Future[datetime]


class AwayError(Exception):
    """Nothing can be written now, so nothing may go out."""


class Settling:
    """Marks, which wait for their commit before a first byte goes out, and outcomes, which outlive the
    database.
    """

    def __init__(self) -> None:
        self.due = asyncio.Event()
        """Set when there is something to write, or room for another. Whoever turns clears it first."""
        self._marks: dict[Claim, Mark] = {}
        self._ended: deque[Ended] = deque()
        self._open = False

    def __bool__(self) -> bool:
        """Whether something is to be written."""
        return bool(self._marks or self._ended)

    def unwritten(self) -> Collection[int]:
        """Return the deliveries whose outcome is not written yet."""
        return {ended.claim.id for ended in self._ended}

    def open(self) -> None:
        """Take marks from now on."""
        self._open = True

    def close(self) -> None:
        """Take no marks until `open`; those that wait fail: nothing of theirs has gone out."""
        self._open = False
        marks, self._marks = self._marks, {}
        _refuse(marks.values(), AwayError())

    def end(self, claim: Claim, outcome: Outcome, seconds: float | None) -> None:
        """Note the outcome of an attempt; it is kept until it is written.

        The end of its task sets `due`, so that it is written with the next one's mark.
        """
        self._ended.append(Ended(claim, outcome, seconds))

    async def mark(self, claim: Claim, kept: Kept) -> datetime:
        """Say that it goes on the wire now, and wait for the commit, which keeps what goes out; returns when
        it first did.

        Raises AwayError, or NotOursError when it is not this attempt's any more.
        """
        if not self._open:
            raise AwayError
        done: asyncio.Future[datetime] = asyncio.get_running_loop().create_future()
        self._marks[claim] = Mark(claim, kept, done)
        self.due.set()
        try:
            return await done
        finally:
            self._marks.pop(claim, None)  # given up: it must not be written after its outcome

    async def write_all(self, rows: Rows) -> None:
        """Write until nothing is left; see `write`."""
        while self:
            await self.write(rows)

    async def write(self, rows: Rows) -> None:
        """Write what is told, one group. psycopg's errors pass; outcomes are kept then, and marks fail."""
        if not self:
            return
        marks = [self._marks.pop(claim) for claim in list(islice(self._marks, GROUP))]
        ended = list(islice(self._ended, GROUP))
        try:
            settled = await rows.settle(marks, ended)
        except psycopg.Error:
            _refuse(marks, AwayError())
            raise
        for one in ended:
            self._ended.popleft()
            if one.claim.id not in settled.ended:
                log.warning("outcome_too_late", id=one.claim.id, state=one.outcome.state.value)
        for mark in marks:
            _tell(mark.done, settled.marked.get(mark.claim.id))
        if self:
            self.due.set()  # more than a group


def _tell(done: asyncio.Future[datetime], first: datetime | None) -> None:
    if done.done():
        return
    if first is None:
        done.set_exception(NotOursError())
    else:
        done.set_result(first)


def _refuse(waiting: Collection[Mark], error: Exception) -> None:
    for mark in waiting:
        if not mark.done.done():
            mark.done.set_exception(error)
