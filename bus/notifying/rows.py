"""The rows of one channel, as its line works on them. Each function is one committed transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from bus.delivery.decide import Outcome, State
from consortium.notifications.model import Channel, Party, Value

LOCKS = 0x594C_4E4F
"""First key of the advisory locks by which one process sends through a channel."""

_OWN = sa.text("SELECT pg_try_advisory_lock(:locks, hashtext(:channel))")
_DUE = sa.text(
    "SELECT d.id, d.key, d.party, d.attempts, d.refusals, d.unsure, d.tried_at, d.expires_at,"
    " d.notification_id, n.template, n.variables, n.facility, n.duty, n.recipient FROM workflow.dispatch d"
    " JOIN workflow.notification n ON n.id = d.notification_id"
    " WHERE d.channel = :channel AND d.done_at IS NULL AND d.state = 'queued'"
    " AND (d.not_before IS NULL OR d.not_before <= clock_timestamp()) ORDER BY d.id LIMIT :limit"
)
_MARK = sa.text(
    "UPDATE workflow.dispatch SET state = 'in_flight', attempts = attempts + 1, code = NULL, reason = NULL,"
    " not_before = NULL, sent_at = clock_timestamp(), answered_at = NULL,"
    " tried_at = coalesce(tried_at, clock_timestamp())"
    " WHERE id = :id AND state = 'queued' AND attempts = :attempts RETURNING tried_at"
)
# Another process may have called it ambiguous meanwhile: an answer is better than that.
_SETTLE = sa.text(
    "UPDATE workflow.dispatch SET state = :state, code = :code, reason = :reason,"
    " answer = coalesce(:answer, answer), reference = coalesce(:reference, reference),"
    " refusals = refusals + :refused, unsure = :unsure,"
    " not_before = :not_before, answered_at = clock_timestamp(),"
    " done_at = CASE WHEN :state IN ('delivered', 'discarded') THEN clock_timestamp() END"
    " WHERE id = :id AND attempts = :attempts AND state IN ('in_flight', 'ambiguous')"
)
_NOT_NOW = sa.text(
    "UPDATE workflow.dispatch SET state = :state, code = :code, reason = :reason, not_before = :not_before,"
    " done_at = CASE WHEN :state = 'discarded' THEN clock_timestamp() END"
    " WHERE id = :id AND state = 'queued' AND attempts = :attempts"
)
_RECOVER = sa.text(
    "UPDATE workflow.dispatch SET unsure = true, code = 'interrupted', reason = :reason, "
    " state = CASE WHEN tried_at > clock_timestamp() - make_interval(secs => :keys)"
    " THEN 'queued' ELSE 'ambiguous' END"
    " WHERE channel = :channel AND done_at IS NULL AND state = 'in_flight' RETURNING state"
)
_SENT = sa.text(
    "SELECT sent_at FROM workflow.dispatch WHERE party = :party AND channel = :channel"
    " AND sent_at > clock_timestamp() - interval '1 hour' AND id <> :id"
)
_AMBIGUOUS = sa.text(
    "SELECT id, key, attempts, reference, asked FROM workflow.dispatch"
    " WHERE channel = :channel AND done_at IS NULL AND state = 'ambiguous'"
    " AND sent_at <= clock_timestamp() - make_interval(secs => :wait)"
    " AND (not_before IS NULL OR not_before <= clock_timestamp()) ORDER BY id LIMIT :limit"
)
_ASKED = sa.text(
    "UPDATE workflow.dispatch SET asked = asked + 1, not_before = :not_before"
    " WHERE id = :id AND attempts = :attempts AND state = 'ambiguous'"
)
INTERRUPTED = (
    "the process ended while it was on the wire: ask the provider or the recipient, then discard or resend"
)


@dataclass(frozen=True, slots=True)
class Due:
    """One that is to be sent now, without an address."""

    id: int
    key: UUID
    party: Party
    attempts: int
    refusals: int
    unsure: bool
    tried_at: datetime | None
    expires_at: datetime | None
    notification_id: int
    template: str
    variables: Mapping[str, Value]
    facility: str
    duty: str
    recipient: str | None


@dataclass(frozen=True, slots=True)
class Doubt:
    """One that may have arrived."""

    id: int
    key: UUID
    attempts: int
    reference: str | None
    asked: int


class Rows:
    """The rows of a channel."""

    def __init__(self, engine: sa.Engine, channel: Channel) -> None:
        self._engine = engine
        self._channel = {"channel": channel.value}

    def own(self, connection: sa.Connection) -> bool:
        """Try to become the one process that sends, as long as the connection lives."""
        found: bool = connection.execute(_OWN, self._channel | {"locks": LOCKS}).scalar_one()
        return found

    def recover(self, keys_seconds: float) -> int:
        """Put right what an earlier owner left on the wire: sent again where a repeated key is taken once
        alone, ambiguous elsewhere. Returns how many are ambiguous.
        """
        values = self._channel | {"keys": keys_seconds, "reason": INTERRUPTED}
        with self._engine.begin() as connection:
            return list(connection.execute(_RECOVER, values).scalars()).count("ambiguous")

    def due(self, limit: int) -> list[Due]:
        """Return those whose time has come, the oldest first."""
        with self._engine.begin() as connection:
            rows = connection.execute(_DUE, self._channel | {"limit": limit}).mappings().all()
        return [Due(**{**row, "party": Party.read(row["party"])}) for row in rows]

    def sent_lately(self, connection: sa.Connection, due: Due) -> list[datetime]:
        """Return when others went to the same recipient within the hour."""
        values = self._channel | {"party": str(due.party), "id": due.id}
        return list(connection.execute(_SENT, values).scalars())

    def mark(self, due: Due) -> datetime | None:
        """Note that it goes out now; returns when it first did. None: it is not this attempt's any more."""
        with self._engine.begin() as connection:
            values = {"id": due.id, "attempts": due.attempts}
            found: datetime | None = connection.execute(_MARK, values).scalar_one_or_none()
        return found

    def settle(
        self, due: Due, outcome: Outcome, *, unsure: bool = False, reference: str | None = None
    ) -> bool:
        """Write what became of the attempt that `mark` began; False when that is somebody else's by now.

        `unsure`: whether it, or one before it, may have arrived.
        """
        values = {
            "id": due.id,
            "attempts": due.attempts + 1,
            "state": outcome.state.value,
            "code": outcome.code,
            "reason": outcome.reason,
            "answer": outcome.answer,
            "reference": reference,
            "refused": int(outcome.refused),
            "unsure": unsure,
            "not_before": outcome.not_before,
        }
        return self._changed(_SETTLE, values)

    def not_now(
        self, due: Due, state: State, code: str, reason: str | None, not_before: datetime | None = None
    ) -> None:
        """Write why it does not go out: nothing of it did in this attempt."""
        values = {"id": due.id, "attempts": due.attempts, "state": state.value, "code": code}
        self._changed(_NOT_NOW, values | {"reason": reason, "not_before": not_before})

    def ambiguous(self, limit: int, wait: float) -> Sequence[Doubt]:
        """Return ambiguous ones that went out `wait` seconds ago and may be asked for now."""
        values = self._channel | {"limit": limit, "wait": wait}
        with self._engine.begin() as connection:
            rows = connection.execute(_AMBIGUOUS, values).mappings().all()
        return [Doubt(**row) for row in rows]

    def asked(self, doubt: Doubt, now: datetime, seconds: float) -> None:
        """Note that it was asked for without an answer, and when to ask again."""
        again = now + timedelta(seconds=seconds)
        self._changed(_ASKED, {"id": doubt.id, "attempts": doubt.attempts, "not_before": again})

    def resolve(self, doubt: Doubt, outcome: Outcome) -> None:
        """Write what the port said of one."""
        values: dict[str, Any] = {
            "id": doubt.id,
            "attempts": doubt.attempts,
            "state": outcome.state.value,
            "code": outcome.code,
            "reason": outcome.reason,
            "answer": None,
            "reference": None,
            "refused": 0,
            # What is not there has not arrived: sending it again is no second time.
            "unsure": False,
            "not_before": None,
        }
        self._changed(_SETTLE, values)

    def _changed(self, statement: sa.TextClause, values: Mapping[str, Any]) -> bool:
        with self._engine.begin() as connection:
            return connection.execute(statement, dict(values)).rowcount == 1
