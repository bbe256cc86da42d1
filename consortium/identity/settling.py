"""The transaction of a decision: one at a time, and begun again where PostgreSQL ended it for a deadlock.

A decision loads whom it concerns step by step, locking as it goes, beside messages that do the same for other
people. The router begins its batch again after a deadlock; so does this, and nobody is told.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import sqlalchemy as sa

TRIES = 8
_ONE_AT_A_TIME = sa.text("SELECT pg_advisory_xact_lock(:key)")
_KEY = 0x59_69_6C_69_61_6E_10
_DEADLOCK = "40P01"
T = TypeVar("T")


def settled(engine: sa.Engine, work: Callable[[sa.Connection], T]) -> T:
    """Do it in a transaction of its own, one at a time, and return what it returns; it may be begun several
    times.
    """

    def alone(connection: sa.Connection) -> T:
        connection.execute(_ONE_AT_A_TIME, {"key": _KEY})
        return work(connection)

    return begun_again(engine, alone)


def begun_again(engine: sa.Engine, work: Callable[[sa.Connection], T]) -> T:
    """Do it in a transaction of its own, and begin it again after a deadlock."""
    tries = TRIES
    while True:
        try:
            with engine.begin() as connection:
                return work(connection)
        except sa.exc.OperationalError as error:
            tries -= 1
            if tries == 0 or getattr(error.orig, "sqlstate", None) != _DEADLOCK:
                raise
