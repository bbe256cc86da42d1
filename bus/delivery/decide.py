"""What becomes of a message after one attempt: pure, from what the transport said."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from bus.delivery.backoff import backoff
from bus.delivery.transport import (
    ANSWER_KEPT,
    Answer,
    NotSentError,
    UnansweredError,
    UnsendableError,
    Verdict,
)
from bus.rules.sending.base import Retry

LONGEST_ASKED = 3600.0
"""Seconds of a Retry-After that are obeyed at most."""


class State(enum.StrEnum):
    """Where a delivery is."""

    QUEUED = "queued"
    CLAIMED = "claimed"
    """Taken by the process; nothing went out: safe to send."""
    IN_FLIGHT = "in_flight"
    """On the wire, not answered."""
    AMBIGUOUS = "ambiguous"
    """It went out and no answer to it is known: a person decides."""
    PARKED = "parked"
    """It cannot be delivered as it is: a person decides."""
    DELIVERED = "delivered"
    DISCARDED = "discarded"

    @property
    def stuck(self) -> bool:
        """Whether it waits for a person, and its patient's later ones with it."""
        return self in (State.AMBIGUOUS, State.PARKED)


class Health(enum.Enum):
    """What an attempt says of the destination, for its breaker."""

    WELL = "it answered"
    UNWELL = "it failed at this message"
    AWAY = "nothing gets through, whatever the message"
    UNTOLD = "it was not asked"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of it."""

    state: State
    health: Health
    code: str
    reason: str | None
    """For a person; never the receiver's words, which may name the patient."""
    answer: bytes | None = None
    refused: bool = False
    """Whether this attempt counts towards giving up."""
    not_before: datetime | None = None


Result = Answer | NotSentError | UnansweredError | UnsendableError


class Habits(Protocol):
    """What of a way of sending the decision depends on."""

    @property
    def retry(self) -> Retry:
        """How an answered failure is tried again."""
        ...

    @property
    def resend_ambiguous(self) -> bool:
        """Whether the receiver takes the same twice without harm."""
        ...


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt that has ended, and what is known of its delivery."""

    spec: Habits
    refusals: int
    """Answered failures in a row before it."""
    tried_at: datetime | None
    """When the delivery was first on the wire."""
    now: datetime
    chance: float
    """Drawn from [0, 1), for the jitter."""

    def decide(self, result: Result) -> Outcome:
        """Say what becomes of the delivery."""
        match result:
            case NotSentError():
                return Outcome(State.QUEUED, Health.AWAY, result.code, str(result))
            case UnsendableError():
                return Outcome(State.PARKED, Health.WELL, result.code, str(result))
            case UnansweredError():
                kept = None if result.answer is None else result.answer[:ANSWER_KEPT]
                return self._ambiguous("unanswered", str(result), kept)
        return self._answered(result.verdict, result.code, result.raw[:ANSWER_KEPT], result.retry_after)

    def _answered(self, verdict: Verdict, code: str, raw: bytes, retry_after: float | None) -> Outcome:
        match verdict:
            case Verdict.TAKEN:
                return Outcome(State.DELIVERED, Health.WELL, code, None, raw)
            case Verdict.NEVER:
                reason = f"the receiver answered {code}: it will not take this message; its answer is kept"
                return Outcome(State.PARKED, Health.WELL, code, reason, raw)
            case Verdict.WRONG_DOOR:
                reason = f"the receiver answered {code}: correct the address, the secret or its permissions"
                return Outcome(State.QUEUED, Health.AWAY, code, reason, raw)
            case Verdict.UNSURE:
                reason = f"a gateway answered {code}: the receiver may have taken the message or not"
                return self._ambiguous(code, reason, raw)
            case Verdict.LATER:
                reason = f"the receiver answered {code}: not taken, and may be later"
                return self._again(code, reason, raw, min(retry_after or 0.0, LONGEST_ASKED))

    def _ambiguous(self, code: str, reason: str, answer: bytes | None) -> Outcome:
        if self.spec.resend_ambiguous:
            return self._again(code, reason, answer)
        text = f"{reason}; ask the receiver whether it has it, then discard or resend"
        return Outcome(State.AMBIGUOUS, Health.UNWELL, code, text, answer)

    def _again(self, code: str, reason: str, answer: bytes | None, asked: float = 0.0) -> Outcome:
        retry = self.spec.retry
        if self.tried_at is not None and self.now - self.tried_at >= timedelta(hours=retry.give_up_hours):
            text = f"{reason}; given up after {self.refusals + 1} tries in {retry.give_up_hours:g} hours"
            return Outcome(State.PARKED, Health.UNWELL, code, text, answer, refused=True)
        doubled = backoff(self.refusals + 1, retry.first_seconds, retry.longest_seconds, self.chance)
        at = self.now + timedelta(seconds=max(asked, doubled))
        return Outcome(State.QUEUED, Health.UNWELL, code, reason, answer, refused=True, not_before=at)
