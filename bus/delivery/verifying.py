"""Asking a receiver for what is ambiguous, beside the line: what is there has arrived, and nobody is asked.

What it does not have is sent again or left to a person, as the destination's file says; what cannot be told
is asked for again, later each time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import monotonic

import structlog

from bus.delivery.backoff import backoff
from bus.delivery.decide import Health, Outcome, State
from bus.delivery.rows import Claim, Rows
from bus.delivery.transport import Asking, Found, Outgoing
from bus.rules.sending.verify import Verify
from consortium.errors import YilianError

log = structlog.get_logger("bus.delivery")

LOOK = 1.0
"""Seconds between looks at what is ambiguous."""
LONGEST = 300.0
"""Seconds between two questions for one delivery at most."""
LOADED = 8 * 1024 * 1024
"""Bytes of messages that are asked for in one go, beyond one."""

THERE = Outcome(State.DELIVERED, Health.UNTOLD, "verified", None)
AGAIN = Outcome(
    State.QUEUED, Health.UNTOLD, "not_arrived", "the receiver was asked and does not have it: it goes again"
)
MISSING = Outcome(
    State.AMBIGUOUS,
    Health.UNTOLD,
    "not_found",
    "the receiver was asked and does not have it now; look whether it was taken away there, then discard or"
    " resend",
)


def decided(how: Verify, found: Found) -> Outcome | None:
    """Say what becomes of a delivery that was asked for; None: nothing is known."""
    match found:
        case Found.THERE:
            return THERE
        case Found.NOT_THERE:
            return AGAIN if how.not_found == "resend" else MISSING
        case Found.UNTOLD:
            return None


class Verifying:
    """Asks for the ambiguous deliveries of one destination, one after the other."""

    def __init__(
        self,
        how: Verify,
        transport: Asking,
        settle: Callable[[Claim, Outcome], None],
        chance: Callable[[], float],
    ) -> None:
        """`settle` takes what became of a delivery; `chance` draws from [0, 1), for the jitter."""
        self._how = how
        self._transport = transport
        self._settle = settle
        self._chance = chance
        self._look_at = 0.0
        self._asked: dict[Claim, tuple[int, float]] = {}
        """How often, and when it is due again."""
        self._told: set[Claim] = set()
        """Of which a person was told that they are not there."""
        self._task: asyncio.Task[None] | None = None

    async def turn(self, rows: Rows) -> None:
        """Begin to ask for what is due, unless it is at it. psycopg's errors pass."""
        now = monotonic()
        if now < self._look_at or (self._task is not None and not self._task.done()):
            return
        self._look_at = now + LOOK
        self._forget()
        later = [claim.id for claim, (_, due) in self._asked.items() if due > now]
        claims = await rows.ambiguous(self._how.wait_seconds, later)
        if claims:
            messages = await rows.load(claims, LOADED, State.AMBIGUOUS)
            self._task = asyncio.create_task(self._ask(claims, messages))

    async def stop(self) -> None:
        """Ask no more."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def _forget(self) -> None:
        """Forget those that nobody has asked for since their time: they are not ambiguous any more."""
        before = monotonic() - LONGEST
        self._asked = {claim: known for claim, known in self._asked.items() if known[1] > before}
        self._told &= self._asked.keys()

    async def _ask(self, claims: Sequence[Claim], messages: Sequence[Outgoing]) -> None:
        by_id = {claim.id: claim for claim in claims}
        for message in messages:
            claim = by_id[message.id]
            outcome = decided(self._how, await self._found(message))
            times, _ = self._asked.get(claim, (0, 0.0))
            wait = backoff(times + 1, self._how.wait_seconds, LONGEST, self._chance())
            self._asked[claim] = times + 1, monotonic() + wait
            if outcome is None or (outcome is MISSING and claim in self._told):
                continue
            if outcome is MISSING:
                self._told.add(claim)
            log.info("asked", id=claim.id, code=outcome.code, state=outcome.state.value)
            self._settle(claim, outcome)

    async def _found(self, message: Outgoing) -> Found:
        try:
            return await self._transport.arrived(message)
        except YilianError as error:
            log.info("not_told", id=message.id, error=type(error).__name__)
        except Exception:
            log.exception("asking_failed", id=message.id)
        return Found.UNTOLD
