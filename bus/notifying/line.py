"""The line through one channel: prepare, mark, send, settle; outlives database and port.

What goes out is marked before its first byte. An attempt without an answer is ambiguous: the port is asked
where it can say, the same key goes again where a repeated one is taken once alone, and else a person decides.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count

import sqlalchemy as sa
import structlog

from bus.delivery.backoff import backoff
from bus.delivery.breaker import Breaker, Position
from bus.delivery.decide import Attempt, Health, Outcome, Result, State
from bus.delivery.transport import (
    Answer,
    Found,
    NotSentError,
    UnansweredError,
    UnsendableError,
    Verdict,
)
from bus.delivery.verifying import AGAIN, THERE
from bus.notifying.port import Asking, Outgoing, Port
from bus.notifying.preparing import NotNow, Preparing
from bus.notifying.rows import Doubt, Due
from bus.rules.sending.base import Breaker as Thresholds
from bus.rules.sending.base import Retry
from consortium.errors import YilianError

log = structlog.get_logger("bus.notifying")

CONNECTIONS = 4
"""Texts on their way at a time."""
IDLE = 1.0
"""Seconds between looks at an empty queue."""
AWAY = 2.0
"""Seconds between tries to reach the database, or to own the channel."""
ASK_AFTER = 15.0
"""Seconds after which a port is asked for what is ambiguous; twice that, then doubling, for the next time."""
ASK_LONGEST = 600.0
HIDDEN = b"***"
"""Stands for the address in an answer that is kept."""


@dataclass(frozen=True, slots=True)
class Habits:
    """`bus.delivery.decide.Habits` of a port at one moment."""

    retry: Retry
    resend_ambiguous: bool


class Line:
    """Sends through one channel; of several processes one owns it, the others stand by."""

    def __init__(
        self,
        preparing: Preparing,
        port: Port,
        engine: sa.Engine,
        *,
        retry: Retry | None = None,
        thresholds: Thresholds | None = None,
        chance: Callable[[], float] = random.random,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        ask_after: float = ASK_AFTER,
    ) -> None:
        """`chance` draws from [0, 1), for the jitter."""
        self._preparing, self._port, self._engine = preparing, port, engine
        self._rows, self._name = preparing.rows, preparing.channel.value
        self._retry = retry or Retry(first_seconds=5.0)
        self._breaker = Breaker(thresholds or Thresholds(), chance)
        self._chance, self._now, self._ask_after = chance, now, ask_after
        self._away = count(-1, -1)
        self._stop, self._turn = threading.Event(), threading.Lock()

    def run(self, stop: threading.Event) -> None:
        """Send until told to stop. A database that is away is waited for."""
        self._stop = stop
        failing = False
        while not stop.is_set():
            try:
                self._owned(stop)
                failing = False
            except (sa.exc.SQLAlchemyError, YilianError, OSError) as error:
                if not failing:
                    log.warning("notifying_interrupted", kind=self._name, error=type(error).__name__)
                failing = True
            except Exception:
                log.exception("notifying_failed", kind=self._name)
            stop.wait(AWAY)

    def _owned(self, stop: threading.Event) -> None:
        """Own the channel by a session's lock, as long as the session lives."""
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as session:
            session.detach()  # so that closing it ends the session, and the lock with it
            if not self._rows.own(session):
                return
            self.recover()
            while not stop.is_set():
                session.execute(sa.text("SELECT 1"))  # raises where the lock has gone with the session
                if not self.once():
                    stop.wait(IDLE)

    def recover(self) -> int:
        """Put right what an earlier owner left on the wire; returns how many are ambiguous."""
        if left := self._rows.recover(self._port.keys_seconds):
            log.error("notifications_ambiguous", kind=self._name, count=left)
        return left

    def once(self) -> int:
        """Ask for what is ambiguous, and send what is due; returns how many were due."""
        self._ask()
        room = self._breaker.room(time.monotonic(), CONNECTIONS)
        due = self._rows.due(room) if room > 0 else []
        if due:
            with ThreadPoolExecutor(len(due), thread_name_prefix=f"notify-{self._name}") as pool:
                list(pool.map(self._one, due))
        return len(due)

    def _one(self, due: Due) -> None:
        with self._turn:  # so that each counts, for the limit of its recipient, those before it
            with self._engine.begin() as connection:
                made = self._preparing.prepare(connection, due, self._now())
            if isinstance(made, NotNow):
                self._rows.not_now(due, made.state, made.code, made.reason, made.not_before)
                self._told(due, made.state, made.code)
                return
            tried_at = self._rows.mark(due)
        if tried_at is None:
            return
        result, reference = self._sent(made)
        now = self._now()
        repeats = (now - tried_at).total_seconds() < self._port.keys_seconds
        attempt = Attempt(Habits(self._retry, repeats), due.refusals, tried_at, now, self._chance())
        outcome = _without(attempt.decide(result), made.address)
        self._note(due, outcome)
        self._settled(due, outcome, _unsure(due, result, outcome), reference)

    def _sent(self, message: Outgoing) -> tuple[Result, str | None]:
        try:
            answered = self._port.send(message)
        except (NotSentError, UnansweredError, UnsendableError) as error:
            return error, None
        except Exception as error:
            log.exception("internal_error", kind=self._name)
            return UnansweredError(f"an unexpected {type(error).__name__}; the worker's log has it"), None
        return answered.answer, answered.reference

    def _settled(self, due: Due, outcome: Outcome, unsure: bool, reference: str | None) -> None:
        """Write it down; while the database is away, again, until the process is to end: then the row stays
        in flight, and the next owner puts it right.
        """
        while True:
            try:
                self._rows.settle(due, outcome, unsure=unsure, reference=reference)
            except sa.exc.OperationalError as error:
                log.warning("outcome_not_written", kind=self._name, id=due.id, error=type(error).__name__)
                if self._stop.wait(AWAY):
                    raise
            else:
                self._told(due, outcome.state, outcome.code)
                return

    def _told(self, due: Due, state: State, code: str) -> None:
        tell = log.error if state.stuck else log.info
        tell(
            "notification", kind=self._name, id=due.id, attempt=due.attempts + 1, state=state.value, code=code
        )

    def _note(self, due: Due, outcome: Outcome) -> None:
        """Tell the breaker."""
        now = time.monotonic()
        before = self._breaker.position(now)
        if outcome.health is Health.WELL:
            self._breaker.succeeded()
        elif outcome.health is not Health.UNTOLD:
            self._breaker.failed(now, due.id if outcome.health is Health.UNWELL else next(self._away))
        after = self._breaker.position(now)
        if after is not before:
            log.warning("breaker_moved", kind=self._name, state=after.value)

    @property
    def position(self) -> Position:
        """How the breaker stands."""
        return self._breaker.position(time.monotonic())

    def _ask(self) -> None:
        """Ask the port for what is ambiguous, where it can say."""
        if not isinstance(self._port, Asking) or not self._port.asks:
            return
        for doubt in self._rows.ambiguous(CONNECTIONS * 4, self._ask_after):
            match self._found(doubt):
                case Found.THERE:
                    self._rows.resolve(doubt, THERE)
                case Found.NOT_THERE:
                    self._rows.resolve(doubt, AGAIN)
                case Found.UNTOLD:
                    wait = backoff(doubt.asked + 2, self._ask_after, ASK_LONGEST, self._chance())
                    self._rows.asked(doubt, self._now(), wait)

    def _found(self, doubt: Doubt) -> Found:
        assert isinstance(self._port, Asking)  # noqa: S101 - narrows; `_ask` has looked
        try:
            return self._port.arrived(str(doubt.key), doubt.reference)
        except YilianError as error:
            log.info("not_told", kind=self._name, id=doubt.id, error=type(error).__name__)
            return Found.UNTOLD


def _without(outcome: Outcome, address: str) -> Outcome:
    """Take the address out of an answer that is kept."""
    if outcome.answer is None:
        return outcome
    return replace(outcome, answer=outcome.answer.replace(address.encode(), HIDDEN))


def _unsure(due: Due, result: Result, outcome: Outcome) -> bool:
    """Whether this attempt, or one before it, may have arrived without our knowing."""
    if outcome.state is State.DELIVERED:
        return False
    unanswered = isinstance(result, UnansweredError)
    return due.unsure or unanswered or (isinstance(result, Answer) and result.verdict is Verdict.UNSURE)
