"""Critical values (危急值): when one is opened, and its way to somebody's acknowledgement.

open → notified → acknowledged, and escalated on the way when nobody answers; or withdrawn, when the result
is taken back before anybody acknowledged. Both ends stay: what comes after changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import sqlalchemy as sa

from consortium.errors import PermanentError
from consortium.records.facts import Row
from consortium.records.keys import child_id
from consortium.records.paging import Page, cursor, position

CRITICAL_FLAGS = frozenset({"critical_low", "critical_high", "critical"})
REPORTABLE = frozenset({"final", "corrected"})
OPEN_STATES = ("open", "notified", "escalated")

_COLUMNS = (
    "id", "facility", "patient_id", "report_id", "result_id", "encounter_id", "item_code",
    "item_name", "value", "unit", "reference_range", "flag", "observed_at", "doctor_number",
    "doctor_name", "department_code", "department_name", "state", "opened_at", "message_id",
    "notified_at", "escalation_level", "escalated_to", "escalated_at", "acknowledged_at",
    "acknowledged_by", "note", "withdrawn_at",
)  # fmt: skip
_CRITICAL = sa.table("critical_value", *map(sa.column, _COLUMNS), schema="records")
_LINK = sa.table("link", *map(sa.column, ("source_patient_id", "person_id")), schema="identity")


class UnknownCriticalValueError(PermanentError):
    """No critical value has that id."""

    code = "unknown_critical_value"
    field = "critical_value_id"


@dataclass(frozen=True, slots=True)
class Alarm:
    """What a new version of a result means for critical values."""

    result: Row
    opens: Row | None = None
    """The critical value that it opens."""
    withdraws: Literal["corrected", "cancelled"] | None = None
    """Why those that the result opened before no longer stand."""


def alarm(before: Row | None, result: Row, report: Row) -> Alarm | None:
    """Return what a result's new version means: None when nobody needs to hear of it.

    A critical value is opened when a result becomes critical, or takes another critical value; what it
    opened before is withdrawn then, and when the result is not critical any more.
    """
    was = before is not None and _stands(before)
    now = _stands(result) and not report["deleted"]
    if (
        was
        and now
        and before is not None
        and (before["value"], before["flag"]) == (result["value"], result["flag"])
    ):
        return None
    if not was and not now:
        return None
    gone = result["deleted"] or report["deleted"] or result["status"] == "cancelled"
    reason: Literal["corrected", "cancelled"] = "cancelled" if gone else "corrected"
    return Alarm(result, _opened(result, report) if now else None, reason if was else None)


def _stands(result: Row) -> bool:
    """Whether somebody must be told of a result: flagged critical, released, and not taken back."""
    return result["flag"] in CRITICAL_FLAGS and result["status"] in REPORTABLE and not result["deleted"]


def _opened(result: Row, report: Row) -> Row:
    same = (
        "patient_id",
        "facility",
        "encounter_id",
        "item_code",
        "item_name",
        "value",
        "unit",
        "reference_range",
        "flag",
    )
    return {column: result[column] for column in same} | {
        "id": child_id(result["id"], str(result["version"])),
        "result_id": result["id"],
        "report_id": report["id"],
        "order_id": report["order_id"],
        "doctor_number": report["doctor_number"],
        "doctor_name": report["doctor_name"],
        "observed_at": result["at"],
        "opened_at": result["changed_at"],
        "message_id": result["message_id"],
    }


def get_critical(connection: sa.Connection, id_: UUID) -> Row | None:
    """Return one critical value: the columns of `records.critical_value`, and `person_id`; None when there
    is none.
    """
    rows = _rows(connection, _select().where(_CRITICAL.c.id == id_))
    return rows[0] if rows else None


def critical_values(
    connection: sa.Connection,
    *,
    facility: str | None = None,
    states: Sequence[str] = OPEN_STATES,
    person: UUID | None = None,
    limit: int = 50,
    after: str | None = None,
) -> Page:
    """Return critical values in some states, newest first.

    Raises:
        BadCursorError: `after` is not a page's.
    """
    c = _CRITICAL.c
    statement = _select().where(c.state.in_(states)).order_by(c.opened_at.desc(), c.id).limit(limit + 1)
    if facility is not None:
        statement = statement.where(c.facility == facility)
    if person is not None:
        statement = statement.where(_LINK.c.person_id == person)
    if after is not None:
        at, id_ = position(after)
        statement = statement.where(sa.or_(c.opened_at < at, sa.and_(c.opened_at == at, c.id > id_)))
    rows = _rows(connection, statement)
    kept = rows[:limit]
    more = len(rows) > limit and bool(kept)
    return Page(kept, cursor(kept[-1]["opened_at"], kept[-1]["id"]) if more else None)


def notify(connection: sa.Connection, id_: UUID, at: datetime) -> Row:
    """Note that the ordering doctor was told; returns the critical value as it is then.

    Raises:
        UnknownCriticalValueError: there is none with that id.
    """
    c = _CRITICAL.c
    return _change(connection, id_, c.state == "open", {"state": "notified", "notified_at": at})


def acknowledge(
    connection: sa.Connection, id_: UUID, user: str, at: datetime, note: str | None = None
) -> Row:
    """Note who took the value to heart, once: the first acknowledgement stays. Returns the critical value as
    it is then.

    Raises:
        UnknownCriticalValueError: there is none with that id.
    """
    values = {"state": "acknowledged", "acknowledged_at": at, "acknowledged_by": user, "note": note}
    return _change(connection, id_, _CRITICAL.c.state.in_(OPEN_STATES), values)


def escalate(connection: sa.Connection, id_: UUID, level: int, to: str, at: datetime) -> Row:
    """Note to whom the value went because nobody answered; levels only grow, and an acknowledged one stays.

    Raises:
        UnknownCriticalValueError: there is none with that id.
    """
    c = _CRITICAL.c
    values = {"state": "escalated", "escalation_level": level, "escalated_to": to, "escalated_at": at}
    return _change(connection, id_, sa.and_(c.state.in_(OPEN_STATES), c.escalation_level < level), values)


def withdraw(connection: sa.Connection, id_: UUID, at: datetime) -> Row:
    """Note that the result behind it no longer stands; an acknowledged one stays acknowledged.

    Raises:
        UnknownCriticalValueError: there is none with that id.
    """
    values = {"state": "withdrawn", "withdrawn_at": at}
    return _change(connection, id_, _CRITICAL.c.state.in_(OPEN_STATES), values)


def _change(
    connection: sa.Connection, id_: UUID, when: sa.ColumnElement[bool], values: dict[str, Any]
) -> Row:
    connection.execute(sa.update(_CRITICAL).where(_CRITICAL.c.id == id_, when).values(values))
    row = get_critical(connection, id_)
    if row is None:
        raise UnknownCriticalValueError(
            "no critical value has that id: look it up in the list of critical values"
        )
    return row


def _select() -> sa.Select[Any]:
    linked = _LINK.c.source_patient_id == _CRITICAL.c.patient_id
    return sa.select(_CRITICAL, _LINK.c.person_id).join_from(_CRITICAL, _LINK, linked)


def _rows(connection: sa.Connection, statement: sa.Select[Any]) -> list[Row]:
    return [dict(row) for row in connection.execute(statement).mappings()]
