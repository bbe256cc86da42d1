"""The line to one destination: claim, send, write down what became of it; outlives database and receiver."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from time import monotonic, time_ns
from typing import Any

import psycopg
import structlog

from bus.delivery.breaker import Breaker, Position
from bus.delivery.decide import Attempt, Health, Outcome, Result, State
from bus.delivery.kept import kept
from bus.delivery.rows import Claim, Control, NotOursError, Rows
from bus.delivery.settling import AwayError, Settling
from bus.delivery.traced import attempted
from bus.delivery.transport import (
    UNREACHABLE,
    Asking,
    NotSentError,
    Outgoing,
    SentForm,
    Transport,
    UnansweredError,
    UnsendableError,
)
from bus.delivery.verifying import Verifying
from bus.rules.destinations import Destination
from bus.rules.versions.model import SHORT

log = structlog.get_logger("bus.delivery")

IDLE = 0.25
"""Seconds between looks at an empty queue, and at what people want of the destination."""
AWAY = 1.0
"""Seconds between tries to reach the database, or to own the destination."""
AHEAD = 128
"""Rows claimed at once beyond those that can be sent at once."""
LOW = 32
"""Claimed rows below which more are claimed while there are plenty."""
LOADED = 8 * 1024 * 1024
"""Bytes of messages that are read ahead, beyond one."""
PATIENCE = 6.0
"""Seconds that a message on the wire gets for its answer once the process is to end."""


class Line:
    """Delivers to one destination; of several processes one owns it, the others stand by."""

    def __init__(
        self,
        spec: Destination,
        transport: Transport,
        conninfo: str,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`chance` draws from [0, 1), for the jitter."""
        self.spec = spec
        self.version: str | None = None
        """Digest of the rule set whose messages it takes; None: of any, as no set is deployed."""
        self.breaker = Breaker(spec.breaker, chance)
        self.owned = False
        self.delivered = 0
        """Since the start."""
        self._transport = transport
        self._conninfo = conninfo
        self._chance = chance
        self._stop = asyncio.Event()
        self._claimed: deque[Claim] = deque()
        self._plenty = False
        """Whether the last claim found as many as it wanted."""
        self._loaded: deque[Outgoing] = deque()
        """The messages of the first claims."""
        self._jobs: dict[asyncio.Task[None], Claim] = {}
        self._settling = Settling()
        self._problem: str | None = None
        """What the destination has other than its file says."""
        self._away = count(-1, -1)
        self._verifying = (
            Verifying(spec.verification, transport, self._verified, chance)
            if spec.verification is not None and isinstance(transport, Asking)
            else None
        )
        self._control = Control()
        self._control_due = 0.0

    def stop(self) -> None:
        """Take nothing more; what is on the wire gets some seconds for its answer."""
        self._stop.set()
        self._settling.due.set()

    def detail(self) -> Mapping[str, Any]:
        """Return what to show of it: no patient data."""
        position = self.breaker.position(monotonic()).value
        problem = {"problem": self._problem} if self._problem else {}
        return {"breaker": position if self.owned else "standby", "sending": len(self._jobs), **problem}

    async def run(self) -> None:
        """Deliver until `stop`. A database that is away is waited for."""
        stopping = asyncio.create_task(self._stop.wait())
        try:
            while not self._stop.is_set():
                try:
                    await self._connected(stopping)
                except psycopg.OperationalError as error:
                    log.warning(
                        "delivery_interrupted", destination=self.spec.name, error=type(error).__name__
                    )
                except Exception:
                    log.exception("delivery_failed", destination=self.spec.name)
                self.owned = False
                await self._ask_no_more()
                self._settling.close()
                self._claimed.clear()  # the next owner puts them back
                self._loaded.clear()
                await asyncio.wait({stopping}, timeout=AWAY)
            await self._write_late()
        finally:
            stopping.cancel()
            await self._transport.close()

    async def _connected(self, stopping: asyncio.Task[bool]) -> None:
        async with await self._connect() as connection:
            rows = Rows(connection, self.spec)
            if not await self._owned(rows, stopping):
                return
            mine = {claim.id for claim in self._jobs.values()} | set(self._settling.unwritten())
            if left := await rows.recover(mine):
                log.error("delivery_ambiguous", destination=self.spec.name, count=left)
            self._settling.open()
            await self._check()
            while not self._stop.is_set():
                await self._turn(rows)
                with suppress(TimeoutError):
                    async with asyncio.timeout(IDLE):
                        await self._settling.due.wait()
            await self._finish(rows)

    async def _check(self) -> None:
        """Look whether the destination is as its file says, before the first message finds out."""
        try:
            await self._transport.check()
        except NotSentError as error:
            log.error("destination_not_ready", destination=self.spec.name, reason=str(error))  # noqa: TRY400 - told wholly
            self._found(error)

    def _found(self, error: NotSentError) -> None:
        """Show what a person is to correct; that nobody is there, the breaker shows."""
        if error.code != UNREACHABLE:
            self._problem = str(error)

    async def _owned(self, rows: Rows, stopping: asyncio.Task[bool]) -> bool:
        """Wait until no other process owns the destination; False when told to stop."""
        while not self._stop.is_set():
            await self._settling.write_all(rows)  # of before the database went away
            if await rows.own():
                self.owned = True
                return True
            await asyncio.wait({stopping}, timeout=AWAY)
        return False

    async def _connect(self) -> psycopg.AsyncConnection[Any]:
        return await psycopg.AsyncConnection.connect(
            self._conninfo, autocommit=True, connect_timeout=3, application_name="delivery"
        )

    async def _turn(self, rows: Rows) -> None:
        self._settling.due.clear()
        if monotonic() >= self._control_due:
            self._control, self._control_due = await rows.control(), monotonic() + IDLE
        control = self._control
        if self._verifying is not None and not control.paused:
            await self._verifying.turn(rows)
        room = self._room(control)
        if room <= 0 and not self._jobs:
            await self._put_back(rows)
        if room > 0 and not self._claimed and self._settling.unwritten():
            await self._settling.write(rows)  # what stood behind them is due by that, and claimed below
        if room > 0 and (not self._claimed or (self._plenty and len(self._claimed) < LOW)):
            ahead = AHEAD if self.breaker.position(monotonic()) is Position.CLOSED else 0
            found = await rows.claim(room + ahead, control.last, self.version)
            self._claimed.extend(found)
            self._plenty = len(found) == room + ahead
        while room > 0 and self._claimed:
            room -= await self._start_some(rows, room)
        await asyncio.sleep(0)  # those with a connection are at their mark: one commit with earlier outcomes
        await self._settling.write(rows)
        if control.last is not None and not self._jobs and not self._claimed:
            await self._drained(rows, control.last)

    def _room(self, control: Control) -> int:
        if control.paused:
            return 0
        return self.breaker.room(monotonic(), self.spec.connections) - len(self._jobs)

    async def _put_back(self, rows: Rows) -> None:
        await rows.release(self._claimed)
        self._claimed.clear()
        self._loaded.clear()

    async def _drained(self, rows: Rows, last: int) -> None:
        if await rows.end_drain(last):
            log.info("destination_drained", destination=self.spec.name)

    async def _start_some(self, rows: Rows, room: int) -> int:
        """Start the first claims, as many as there is room for and messages are read; returns how many."""
        if not self._loaded:
            self._loaded.extend(await rows.load(self._claimed, LOADED))
            if not self._loaded:
                self._claimed.clear()  # none is ours any more
        started = 0
        while started < room and self._loaded:
            message, claim = self._loaded.popleft(), self._claimed.popleft()
            while claim.id != message.id:  # not ours any more
                claim = self._claimed.popleft()
            self._start(claim, message)
            started += 1
        return started

    def _start(self, claim: Claim, message: Outgoing) -> None:
        task = asyncio.create_task(self._attempt(claim, message), name=f"delivery-{claim.id}")
        self._jobs[task] = claim
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        """Forget a job; one that failed itself leaves its row in flight, for the next start to find."""
        claim = self._jobs.pop(task)
        self._settling.due.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("attempt_failed", id=claim.id, exc_info=error)

    async def _attempt(self, claim: Claim, message: Outgoing) -> None:
        """Make one attempt; whatever happens, its outcome is noted."""
        began, wire = time_ns(), 0
        sent_at: float | None = None
        tried_at = claim.tried_at

        async def on_wire(form: SentForm) -> None:
            nonlocal sent_at, tried_at, wire
            tried_at = await self._settling.mark(claim, await kept(form, message.body, self._rules))
            sent_at, wire = monotonic(), time_ns()

        result: Result
        try:
            result = await self._transport.send(message, on_wire)
        except (NotSentError, UnansweredError, UnsendableError) as error:
            result = error
        except NotOursError:
            return
        except AwayError:
            # Not marked, so not sent: nothing is known against the destination.
            self._settling.end(claim, Outcome(State.QUEUED, Health.UNTOLD, "interrupted", None), None)
            return
        except asyncio.CancelledError:  # by `_finish` alone
            result = _stopped(sent_at)
        except Exception as error:
            log.exception("internal_error", destination=self.spec.name, id=claim.id)
            result = _unexpected(error, sent_at)
        seconds = None if sent_at is None else monotonic() - sent_at
        attempt = Attempt(self.spec, claim.refusals, tried_at, datetime.now(UTC), self._chance())
        outcome = attempt.decide(result)
        if isinstance(result, NotSentError):
            self._found(result)
        self._note(claim, outcome)
        attempted(self.spec.name, claim.message_id, claim.attempt, outcome, (began, wire))
        self._settling.end(claim, outcome, seconds)

    @property
    def _rules(self) -> str | None:
        return None if self.version is None else self.version[:SHORT]

    def _note(self, claim: Claim, outcome: Outcome) -> None:
        """Tell the breaker and the log."""
        before = self.breaker.position(monotonic())
        if outcome.health is Health.WELL:
            self.breaker.succeeded()
            self._problem = None
        elif outcome.health is not Health.UNTOLD:
            which = claim.id if outcome.health is Health.UNWELL else next(self._away)
            self.breaker.failed(monotonic(), which)
        after = self.breaker.position(monotonic())
        if after is not before:
            wait = round(self.breaker.wait(monotonic()), 1)
            log.warning("breaker_moved", destination=self.spec.name, to=after.value, wait=wait)
        if outcome.state is State.DELIVERED:
            self.delivered += 1
        else:
            tell = log.error if outcome.state.stuck else log.info
            tell(
                "not_delivered",
                destination=self.spec.name,
                id=claim.id,
                message_id=claim.message_id,
                attempt=claim.attempt,
                state=outcome.state.value,
                code=outcome.code,
            )

    def _verified(self, claim: Claim, outcome: Outcome) -> None:
        """Take what became of one that the receiver was asked for."""
        self.delivered += outcome.state is State.DELIVERED
        self._settling.end(claim, outcome, None)
        self._settling.due.set()

    async def _ask_no_more(self) -> None:
        if self._verifying is not None:
            await self._verifying.stop()

    async def _finish(self, rows: Rows) -> None:
        await self._ask_no_more()
        self._settling.close()
        await self._put_back(rows)
        await self._end_jobs()
        await self._settling.write_all(rows)

    async def _end_jobs(self) -> None:
        if not self._jobs:
            return
        _, pending = await asyncio.wait(list(self._jobs), timeout=PATIENCE)
        for job in pending:
            job.cancel()
        if pending:
            await asyncio.wait(pending)

    async def _write_late(self) -> None:
        """Write what ended while the database was away, once more, at the end of the process.

        Where that fails, the next owner finds the rows in flight and calls them ambiguous.
        """
        await self._end_jobs()
        if not self._settling:
            return
        try:
            async with await self._connect() as connection:
                await self._settling.write_all(Rows(connection, self.spec))
        except psycopg.OperationalError as error:
            log.warning("outcomes_lost", destination=self.spec.name, error=type(error).__name__)


def _stopped(sent_at: float | None) -> NotSentError | UnansweredError:
    if sent_at is None:
        return NotSentError("the delivery process was stopped before it was sent")
    return UnansweredError("the delivery process was stopped before the answer came")


def _unexpected(error: Exception, sent_at: float | None) -> UnsendableError | UnansweredError:
    reason = f"an unexpected {type(error).__name__}; the log of delivery has it under this delivery's id"
    return UnsendableError("internal_error", reason) if sent_at is None else UnansweredError(reason)
