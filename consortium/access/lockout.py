"""Failed sign-ins: counted before the password is looked at, forgiven by a success.

Counting first means that many guesses at once are not cheaper than one after another. A name is counted
together with the address it is tried from, so that a stranger cannot lock a doctor out; an address is counted
besides, with a higher limit.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from sqlalchemy import Connection, text

from consortium.access.errors import LockedOutError

FREE_TRIES = 5
"""Failures of one name from one address before the first wait."""
FREE_TRIES_OF_PEER = 100
FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(minutes=15)
MEMORY = timedelta(hours=1)
"""A failure is forgotten this long after the last one."""

_LOCKED = text("SELECT max(locked_until) FROM access.failed_sign_in WHERE subject = ANY(:subjects)")
_COUNT = text(
    "INSERT INTO access.failed_sign_in AS f (subject, failures, last_at) VALUES (:subject, 1, :now)"
    " ON CONFLICT (subject) DO UPDATE SET last_at = excluded.last_at,"
    " failures = CASE WHEN f.last_at < :horizon THEN 1 ELSE f.failures + 1 END RETURNING failures"
)
_LOCK = text("UPDATE access.failed_sign_in SET locked_until = :until WHERE subject = :subject")
_FORGIVE_NAME = text("DELETE FROM access.failed_sign_in WHERE subject = :subject")
_FORGIVE_PEER = text(
    "UPDATE access.failed_sign_in SET failures = failures - 1 WHERE subject = :subject AND failures > 0"
)


def wait_after(failures: int, free: int) -> timedelta:
    """Return how long to wait after so many failures: nothing, then a minute, doubling to 15 minutes."""
    if failures < free:
        return timedelta(0)
    return min(FIRST_WAIT * (1 << min(failures - free, 10)), LONGEST_WAIT)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def charge(connection: Connection, username: str, peer: str, now: datetime) -> None:
    """Count a try as failed before it is looked at.

    Raises LockedOutError while a wait lasts; such a try counts nothing.
    """
    tries = {_digest(username, peer): FREE_TRIES, _digest(peer): FREE_TRIES_OF_PEER}
    until = connection.execute(_LOCKED, {"subjects": list(tries)}).scalar_one()
    if until is not None and until > now:
        raise LockedOutError(max(1, round((until - now).total_seconds())))
    for subject, free in tries.items():
        count = {"subject": subject, "now": now, "horizon": now - MEMORY}
        failures = connection.execute(_COUNT, count).scalar_one()
        if wait := wait_after(failures, free):
            connection.execute(_LOCK, {"subject": subject, "until": now + wait})


def forgive(connection: Connection, username: str, peer: str) -> None:
    """Take the count back after a success."""
    connection.execute(_FORGIVE_NAME, {"subject": _digest(username, peer)})
    connection.execute(_FORGIVE_PEER, {"subject": _digest(peer)})
