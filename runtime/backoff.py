"""How long to wait before a service is started again."""

from __future__ import annotations

FIRST = 0.5
"""Seconds before the first restart."""
LONGEST = 30.0
STEADY = 60.0
"""Seconds after which a running service is taken to have recovered, and counting begins anew."""


def delay(failures: int) -> float:
    """Return the seconds to wait after that many failures in a row: doubling, up to `LONGEST`."""
    if failures <= 0:
        return 0.0
    return min(FIRST * 2.0 ** min(failures - 1, 32), LONGEST)


def failures_after(failures: int, ran: float) -> int:
    """Return the failures in a row, now that a service has ended after `ran` seconds."""
    return 1 if ran >= STEADY else failures + 1
