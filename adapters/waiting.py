"""How long a poller waits before it tries again."""

from __future__ import annotations

from consortium.errors import PermanentError

LONGEST = 10.0
"""Seconds between two tries of what is away, at most."""
LONGEST_FOR_A_PERSON = 60.0
"""The same where a person must mend something first. Sign-ins that fail more often would lock the account."""


def wait(interval: float, failures: int, error: Exception, chance: float) -> float:
    """Return seconds: twice as long after each failure, from `interval` on. `chance`, 0 to 1: how much of the
    second half is waited.
    """
    longest = LONGEST_FOR_A_PERSON if isinstance(error, PermanentError) else LONGEST
    whole = max(interval, min(longest, interval * 2.0 ** min(failures, 16)))
    return whole / 2 * (1 + chance)
