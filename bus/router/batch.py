"""One batch of the router: every message judged in inbox order, the changes recorded in bulk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
import structlog

from bus import tracing
from bus.delivery.queue import Queued, queued
from bus.envelope import Stored
from bus.partition import patient_key
from bus.router.effects import Applied, Effects
from bus.router.failures import ATTEMPTS, backoff, hold_for, is_database, is_transient, store_pause
from bus.router.line import Line
from bus.router.returned import returned
from bus.router.verdicts import Verdicts
from bus.router.work import READY, KeysUnknownError, Row, read_messages, read_rows
from bus.rules.decision import Decision, Hold
from bus.rules.records import KnownRecords, Records
from bus.rules.spec import OrderClass, Sending
from bus.rules.stored import decided
from bus.rules.versions.model import Deployed
from consortium.documents.content import StoreAwayError
from consortium.errors import PermanentError
from consortium.records.model import Change, Provenance

log = structlog.get_logger("bus.router")


class AgainError(Exception):
    """The pass must be rolled back and begun again: what it learned is remembered in the batch."""


@dataclass(frozen=True, slots=True)
class _Pending:
    """A message that is decided and not yet recorded."""

    row: Row
    decision: Decision
    changes: tuple[tuple[Change, Provenance], ...]
    keys: tuple[tuple[int, ...], ...]
    """Of the patients of each change."""


Outcomes = Sequence[Applied | PermanentError]


class Batch:
    """One batch over all its passes. Decisions are made once.

    A pass records in bulk. When a message of it fails and others of the same patient came after it, or when
    the whole bulk fails, the pass is begun again: with the failed one held, or `careful`, each message under
    a savepoint. When the documents' store is away, it is begun again with the messages that have documents
    put off.
    """

    def __init__(
        self, deployed: Deployed, effects: Effects, clock: Callable[[], datetime], routing_key: str = ""
    ) -> None:
        self.deployed = deployed
        """The one rule set of all its passes."""
        self._routing_key = routing_key
        self._effects = effects
        self._clock = clock
        self._decisions: dict[int, Decision] = {}
        self._codes = 0
        self.careful = False
        self.store_away = False

    def run(self, connection: sa.Connection, keys: Sequence[int], last: int) -> Verdicts:
        """Make one pass over the work of these patients, whom the caller's transaction has locked, up to an
        id. Raises `AgainError`, or of the database.
        """
        self._take_additions(connection)
        rows = read_rows(connection, keys, last)
        one = Pass(self, connection, Line(rows))
        records = KnownRecords(connection, one.flush)
        for row, message in read_messages(connection, [row for row in rows if row.state == READY]):
            if message.id not in self._decisions and (ours := returned(connection, message)) is not None:
                self._decisions[message.id] = ours
            one.take(row, message, records)
        one.flush()
        one.verdicts.write(connection)
        return one.verdicts

    def _take_additions(self, connection: sa.Connection) -> None:
        """Take in codes that were mapped since; what was decided without them is decided again."""
        newest = self.deployed.rules.additions.refresh(connection)
        if newest != self._codes:
            self._codes = newest
            self._decisions.clear()

    def decision(self, message: Stored, records: Records) -> Decision:
        """Return what the rules say of a message. Raises `AgainError`, or of the database, from `records`."""
        found = self._decisions.get(message.id)
        if found is None:
            with tracing.step(tracing.RULES, (message.id,)):
                found = self._decide(message, records)
            if not found.enriched:  # another pass may find other records
                self._decisions[message.id] = found
        return found

    def refuse(self, row: Row, decision: Decision, error: Exception) -> Decision:
        """Remember that a message cannot be recorded; returns its decision from now on."""
        hold = hold_for(error, decision.rule)
        if isinstance(error, ChangeError):
            hold = error.named(hold_for(error.cause, decision.rule))
        if hold.code == "internal_error":
            log.error("internal_error", message_id=row.id, rule=decision.rule, exc_info=error)
        self._decisions[row.id] = decision.held(hold)
        return self._decisions[row.id]

    def apply(
        self, connection: sa.Connection, changes: Sequence[tuple[Change, Provenance]]
    ) -> Sequence[Applied | PermanentError]:
        """Record changes; see `Effects`."""
        return self._effects.apply_many(connection, changes)

    def keys(self, facility: str, change: Change) -> tuple[int, ...]:
        """Return the keys of a change's patients, its own first."""
        numbers = [change.patient.number, *([change.merge.retired] if change.merge else [])]
        return tuple(patient_key(facility, number, self._routing_key) for number in numbers)

    def known(self, connection: sa.Connection, facility: str, number: str) -> bool:
        """Whether a campus's patient is known."""
        return self._effects.known(connection, facility, number)

    def retry_at(self, row: Row) -> datetime:
        """Return when a message that failed now is tried again."""
        return self._clock() + backoff(row.attempts + 1)

    def store_at(self, row: Row) -> datetime:
        """Return when a message that waits for the documents' store is tried again."""
        now = self._clock()
        return now + store_pause(now - row.received_at)

    def without_store(self, error: StoreAwayError) -> AgainError:
        """Remember that the documents' store is away; returns what ends the pass."""
        if not self.store_away:
            log.warning("documents_store_away", error=str(error))
        self.store_away = True
        return AgainError()

    def _decide(self, message: Stored, records: Records) -> Decision:
        rules = self.deployed.rules
        try:
            return decided(rules, message, records)
        except (AgainError, sa.exc.SQLAlchemyError):
            raise
        except Exception as error:
            log.exception("internal_error", message_id=message.id, step="decide")
            reason = f"an unexpected {type(error).__name__}; the router's log has it under this message's id"
            hold = Hold("internal_error", reason, step="decide")
            return Decision(hold, None, OrderClass.VISIT, waits=True, blocks=True)


class Pass:
    """One pass over the rows of a batch.

    Nothing it holds leads back to it, so that all of the batch is free as soon as the pass is over: in a
    circle, hundreds of megabytes of decided messages would wait for the collector.
    """

    def __init__(self, batch: Batch, connection: sa.Connection, line: Line) -> None:
        self.verdicts = Verdicts(rules=batch.deployed.short)
        self._batch = batch
        self._connection = connection
        self._line = line
        self._pending: list[_Pending] = []

    def take(self, row: Row, message: Stored, records: Records) -> None:
        """Judge the next message; `records` is what its rule may look up, once this pass is flushed."""
        if row.early and row.not_before is not None:
            self._line.stop(row, row.not_before)
        else:
            self._judge(row, message, records)

    def flush(self) -> None:
        """Record what is decided."""
        pending, self._pending = self._pending, []
        if not pending:
            return
        changes = [one for item in pending for one in item.changes]
        try:
            with tracing.step(tracing.RECORD, (item.row.id for item in pending)):
                outcomes = iter(self._batch.apply(self._connection, changes))
        except StoreAwayError as error:
            raise self._batch.without_store(error) from error
        except Exception as error:
            if is_database(error):
                raise
            self._batch.careful = True
            raise AgainError from error
        found = [(item, [next(outcomes) for _ in item.changes]) for item in pending]
        refused = {
            item.row.id: self._batch.refuse(item.row, item.decision, cause)
            for item, mine in found
            if (cause := _error(mine)) is not None
        }
        for place, (item, mine) in enumerate(found):
            if item.row.id in refused:
                self._refused(item, refused[item.row.id], pending[place + 1 :])
            else:
                self._record(item, _recorded(mine))

    def _judge(self, row: Row, message: Stored, records: Records) -> None:
        decision = self._batch.decision(message, records)
        keys = self._keys(row, message, decision)
        blocker, put_off = self._line.blocker(row), self._line.put_off(row)
        if (blocker is not None or put_off is not None) and self._must_wait(message, decision):
            self._wait(row, blocker, put_off)
            return
        if self._batch.store_away and any(change.documents for change in decision.changes):
            self._wait_for_store(row)
            return
        self.verdicts.miss(message.facility, decision.misses)
        if isinstance(decision.outcome, Hold):
            self._hold(row, decision.outcome, decision)
            return
        item = _Pending(row, decision, tuple(_changes(row, message, decision)), keys)
        if self._batch.careful:
            self._alone(item)
        else:
            self._pending.append(item)

    def _wait(self, row: Row, blocker: int | None, put_off: datetime | None) -> None:
        """It stands behind one that is held, or else behind one that was put off."""
        if blocker is not None:
            self.verdicts.wait(row, blocker)
        elif put_off is not None:
            self.verdicts.follow(row, put_off)
            self._line.stop(row, put_off)

    def _keys(self, row: Row, message: Stored, decision: Decision) -> tuple[tuple[int, ...], ...]:
        """Return the keys of each change's patients.

        Raises `KeysUnknownError` where one is not locked.
        """
        if not decision.split:
            return (row.keys,)
        keys = tuple(self._batch.keys(message.facility, change) for change in decision.changes)
        concerned = {key for of_change in keys for key in of_change}
        if not concerned <= set(row.keys):
            raise KeysUnknownError(row.id, sorted(concerned | set(row.keys)))
        return keys

    def _must_wait(self, message: Stored, decision: Decision) -> bool:
        if decision.waits:
            return True
        self.flush()  # what came before may have made the patient known
        numbers = [change.patient.number for change in decision.changes]
        if not numbers and message.patient_number is not None:
            numbers = [message.patient_number]
        known = (self._batch.known(self._connection, message.facility, number) for number in numbers)
        return not numbers or not all(known)

    def _refused(self, item: _Pending, decision: Decision, after: Sequence[_Pending]) -> None:
        if len(item.changes) > 1:  # the others of its changes are written, and must not stay
            raise AgainError
        if decision.blocks and any(set(item.row.keys) & set(other.row.keys) for other in after):
            raise AgainError
        if isinstance(decision.outcome, Hold):
            self._hold(item.row, decision.outcome, decision)

    def _alone(self, item: _Pending) -> None:
        try:
            with self._connection.begin_nested(), tracing.step(tracing.RECORD, (item.row.id,)):
                outcomes = self._batch.apply(self._connection, item.changes)
                if (refused := _error(outcomes)) is not None:
                    raise refused
        except StoreAwayError as error:
            raise self._batch.without_store(error) from error
        except Exception as error:
            if is_database(error):
                raise
            self._failed(item, error)
        else:
            self._record(item, _recorded(outcomes))

    def _failed(self, item: _Pending, error: Exception) -> None:
        row = item.row
        if is_transient(error) and row.attempts + 1 < ATTEMPTS:
            at = self._batch.retry_at(row)
            name = type(error).__name__
            log.warning("message_failed", message_id=row.id, attempts=row.attempts + 1, error=name)
            self.verdicts.retry(row, at, name)
            self._line.stop(row, at)
            return
        decision = self._batch.refuse(row, item.decision, error)
        if isinstance(decision.outcome, Hold):
            self._hold(row, decision.outcome, decision)

    def _record(self, item: _Pending, applied: Sequence[Applied]) -> None:
        written: Counter[str] = Counter()
        for one in applied:
            written.update(one.written)
        detail: dict[str, Any] = {"kind": item.changes[0][0].kind.value, "written": dict(written)}
        if item.decision.split:
            detail["changes"] = len(item.changes)
        if item.decision.warnings:
            detail["warnings"] = [asdict(warned) for warned in item.decision.warnings]
        self.verdicts.record(item.row, item.decision.rule, detail)
        for (change, provenance), keys, one in zip(item.changes, item.keys, applied, strict=True):
            self.verdicts.number(item.row, change)
            for event in one.events:
                self.verdicts.event(item.row, event.dedupe_key, event.payload)
            for sending in item.decision.sendings:
                self.verdicts.deliver(self._queued(sending, keys, change, provenance))

    def _queued(
        self, sending: Sending, keys: tuple[int, ...], change: Change, provenance: Provenance
    ) -> Queued:
        try:
            return queued(self._connection, sending, keys, change, provenance)
        except StoreAwayError as error:  # what is known of a document is sent with what it holds
            raise self._batch.without_store(error) from error

    def _wait_for_store(self, row: Row) -> None:
        at = self._batch.store_at(row)
        self.verdicts.wait_for_store(row, at)
        self._line.stop(row, at)

    def _hold(self, row: Row, hold: Hold, decision: Decision) -> None:
        self.verdicts.hold(row, hold, blocks=decision.blocks)
        tracing.held(row.id, code=hold.code, rule=hold.rule, step=hold.step)
        log.info("held", message_id=row.id, code=hold.code, rule=hold.rule, step=hold.step)
        if decision.blocks:
            self._line.block(row)


def _changes(row: Row, message: Stored, decision: Decision) -> Iterator[tuple[Change, Provenance]]:
    for number, change in enumerate(decision.changes, start=1):
        yield (
            change,
            Provenance(
                message_id=row.place,
                facility=message.facility,
                received_at=message.received_at,
                source_version=decision.version,
                part=number if decision.split else None,
            ),
        )


class ChangeError(PermanentError):
    """One change of a message that is split cannot be recorded, so none of it is."""

    def __init__(self, number: int, count: int, cause: PermanentError) -> None:
        super().__init__(str(cause))
        self.number, self.count, self.cause = number, count, cause

    def named(self, hold: Hold) -> Hold:
        """Return the reason with the number of the change."""
        field = f"[{self.number}].{hold.field}" if hold.field else f"[{self.number}]"
        return replace(hold, field=field, reason=f"change {self.number} of {self.count}: {hold.reason}")


def _error(outcomes: Outcomes) -> PermanentError | None:
    """Return why a message cannot be recorded: the first of its changes that cannot."""
    for number, outcome in enumerate(outcomes, start=1):
        if isinstance(outcome, PermanentError):
            return outcome if len(outcomes) == 1 else ChangeError(number, len(outcomes), outcome)
    return None


def _recorded(outcomes: Outcomes) -> list[Applied]:
    return [outcome for outcome in outcomes if not isinstance(outcome, PermanentError)]
