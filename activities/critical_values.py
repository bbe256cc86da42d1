"""The side effects of the critical value workflow: notifications and the record's state.

Each is one transaction. A step that is tried again finds what it wrote and changes nothing. Where PostgreSQL
says that the critical value is closed, nobody new is told and the workflow learns it from the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DataError
from temporalio import activity
from temporalio.exceptions import ApplicationError

from consortium.errors import PermanentError
from consortium.notifications import model as notifications
from consortium.notifications.queue import ask, told
from consortium.records import critical
from consortium.records.facts import Row
from workflows.critical_value import steps
from workflows.critical_value.model import Acknowledged, Acknowledging, Duty, Notice, Standing

CLOSED = frozenset({"acknowledged", "withdrawn"})
SUBJECT = "critical_value"
SUBJECT_WITHDRAWN = "critical_value_withdrawn"
TEMPLATES = {SUBJECT: "critical-value", SUBJECT_WITHDRAWN: "critical-value-withdrawn"}
"""Files of rules/notifications."""

Clock = Callable[[], datetime]


def now() -> datetime:
    """Return the time, with its zone."""
    return datetime.now(UTC)


def recipient(row: Row, duty: Duty) -> tuple[Duty, str | None]:
    """Return who is told of a critical value at a duty, and their number in the campus.

    A report that names no doctor goes to the department at once, and one without a department to medical
    affairs: somebody must be told.
    """
    if duty == "ordering_doctor" and row["doctor_number"]:
        return duty, row["doctor_number"]
    if duty in ("ordering_doctor", "department") and row["department_code"]:
        return "department", row["department_code"]
    return "medical_affairs", None


class CriticalValues:
    """The activities, over one pool of connections."""

    def __init__(self, engine: Engine, clock: Clock = now) -> None:
        """Work through that engine; `clock` gives the times that are recorded."""
        self._engine = engine
        self._clock = clock

    @property
    def activities(self) -> tuple[Callable[..., Any], ...]:
        """What a worker offers."""
        return self.notify, self.escalate, self.acknowledge, self.tell_withdrawn

    @activity.defn(name=steps.NOTIFY)
    def notify(self, notice: Notice) -> Standing:
        """Tell the ordering doctor."""
        with self._transaction() as connection:
            row = critical.notify(connection, notice.critical_value_id, self._clock())
            return self._told(connection, notice, row)

    @activity.defn(name=steps.ESCALATE)
    def escalate(self, notice: Notice) -> Standing:
        """Tell the next on the ladder, as nobody answered in time."""
        with self._transaction() as connection:
            row = self._row(connection, notice.critical_value_id)
            if row["state"] not in CLOSED:
                duty, _ = recipient(row, notice.duty)
                row = critical.escalate(
                    connection, notice.critical_value_id, notice.level, duty, self._clock()
                )
            return self._told(connection, notice, row)

    @activity.defn(name=steps.ACKNOWLEDGE)
    def acknowledge(self, order: Acknowledging) -> Acknowledged:
        """Record who took note; refused where another did before, or the result was taken back."""
        with self._transaction() as connection:
            before = self._row(connection, order.critical_value_id)
            if before["state"] == "withdrawn":
                raise _conflict("the result was taken back")
            row = critical.acknowledge(
                connection, order.critical_value_id, order.user, self._clock(), order.note or None
            )
            if row["acknowledged_by"] != order.user:
                raise _conflict("already acknowledged by another")
            return Acknowledged(
                critical_value_id=row["id"], user=row["acknowledged_by"], at=row["acknowledged_at"]
            )

    @activity.defn(name=steps.TELL_WITHDRAWN)
    def tell_withdrawn(self, notice: Notice) -> Standing:
        """Tell everybody who was told that the value no longer stands."""
        with self._transaction() as connection:
            row = critical.withdraw(connection, notice.critical_value_id, self._clock())
            for one in told(connection, notice.workflow_id, SUBJECT):
                step = f"withdrawn:{one.level}"
                ask(connection, _asked(notice, SUBJECT_WITHDRAWN, step, one.level, one.duty, one.recipient))
            return Standing(critical_value_id=row["id"], state=row["state"])

    def _told(self, connection: Connection, notice: Notice, row: Row) -> Standing:
        if row["state"] not in CLOSED:
            duty, number = recipient(row, notice.duty)
            step = f"told:{notice.level}"
            ask(connection, _asked(notice, SUBJECT, step, notice.level, duty, number))
        return Standing(critical_value_id=row["id"], state=row["state"])

    @staticmethod
    def _row(connection: Connection, id_: UUID) -> Row:
        row = critical.get_critical(connection, id_)
        if row is None:
            raise critical.UnknownCriticalValueError(f"no critical value {id_}")
        return row

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """Commit at the end; what no repetition can mend ends the step at once."""
        try:
            with self._engine.begin() as connection:
                yield connection
        except PermanentError as error:
            raise ApplicationError(str(error), type=type(error).__name__, non_retryable=True) from error
        except DataError as error:  # such as a note with a character that PostgreSQL does not store
            refused = "the database cannot store what was written; write it without special characters"
            raise ApplicationError(refused, type="DataError", non_retryable=True) from error


def _conflict(reason: str) -> ApplicationError:
    return ApplicationError(reason, type="Conflict", non_retryable=True)


def _asked(
    notice: Notice, subject: str, step: str, level: int, duty: str, number: str | None
) -> notifications.Notice:
    return notifications.Notice(
        workflow_id=notice.workflow_id,
        step=step,
        subject=subject,
        subject_id=notice.critical_value_id,
        facility=notice.facility,
        duty=duty,
        recipient=number,
        template=TEMPLATES[subject],
        level=level,
    )
