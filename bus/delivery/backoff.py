"""How long to wait: doubling, capped, with jitter: what failed together does not come back together."""

from __future__ import annotations


def backoff(failures: int, first: float, longest: float, chance: float) -> float:
    """Return the seconds to wait after that many failures in a row, counted from 1.

    `chance` is drawn from [0, 1): the wait is between a half and the whole of `first` × 2^(failures − 1),
    which `longest` caps.
    """
    whole = min(longest, first * 2.0 ** min(max(failures, 1) - 1, 60))
    return whole * (0.5 + chance / 2)
