"""What an exception says: about one message, or about the database."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from bus.rules.decision import Hold
from consortium.errors import PermanentError, RetryableError

ATTEMPTS = 5
"""Tries before a message that fails is held."""
RACE = "40"
AWAY = ("08", "53", "55", "57", "58")
"""SQLSTATE classes that say nothing of the message: connection, resources, locks, shutdown, system."""


def backoff(attempts: int) -> timedelta:
    """Return how long to wait after the attempt of that number, counted from 1: 1, 2, 4, 8 … seconds."""
    return timedelta(seconds=float(2 ** min(attempts - 1, 8)))


LONGEST_WAIT = 60.0
"""Seconds between two looks whether the documents' store is back."""


def store_pause(waited: timedelta) -> timedelta:
    """Return after how long a message that waits for the documents' store is tried again: the longer it has
    waited the longer, from a second to a minute.
    """
    return timedelta(seconds=min(LONGEST_WAIT, max(1.0, waited.total_seconds() / 4)))


def sqlstate(error: BaseException) -> str | None:
    """Return the SQLSTATE of an error of the database."""
    return getattr(getattr(error, "orig", None), "sqlstate", None)


def is_race(error: BaseException) -> bool:
    """Whether it was a deadlock or a serialization failure: the same again will succeed."""
    return isinstance(error, sa.exc.DBAPIError) and (sqlstate(error) or "").startswith(RACE)


def is_database(error: BaseException) -> bool:
    """Whether the database is away or unwell: no message is to blame."""
    if not isinstance(error, sa.exc.DBAPIError):
        return isinstance(error, sa.exc.TimeoutError)
    state = sqlstate(error)
    broken = error.connection_invalidated or isinstance(error, sa.exc.InterfaceError)
    lost = isinstance(error, sa.exc.OperationalError) and state is None
    return broken or lost or (state or "").startswith((RACE, *AWAY))


def is_transient(error: BaseException) -> bool:
    """Whether the message may succeed later."""
    if isinstance(error, sa.exc.DataError):
        return False
    return isinstance(error, RetryableError | sa.exc.SQLAlchemyError)


def hold_for(error: BaseException, rule: str | None) -> Hold:
    """Return why a message cannot be recorded. The error's own text is shown only where it is ours."""
    if isinstance(error, PermanentError):
        code = str(getattr(error, "code", None) or "refused")
        field = getattr(error, "field", None)
        return Hold(code, str(error), rule=rule, step="record", field=field)
    if isinstance(error, sa.exc.DataError):
        reason = "the database cannot hold one of its values (a number out of range?); correct the sender"
        return Hold("bad_value", reason, rule=rule, step="record")
    if is_transient(error):
        cause = type(getattr(error, "orig", None) or error).__name__
        reason = f"failed {ATTEMPTS} times, last with {cause}; mend the cause, then replay"
        return Hold("failed_repeatedly", reason, rule=rule, step="record")
    reason = f"an unexpected {type(error).__name__}; the router's log has it under this message's id"
    return Hold("internal_error", reason, rule=rule, step="record")
