"""What an HTTP status means for something that was sent."""

from __future__ import annotations

from bus.delivery.transport import Verdict

_LATER = frozenset({408, 425, 429, 500, 503, 507})
_UNSURE = frozenset({502, 504})
_WRONG_DOOR = frozenset({401, 403, 404, 405, 407, 410, 421})


def verdict(status: int) -> Verdict:
    """Say what a status means for a message that was sent."""
    if 200 <= status < 300:
        return Verdict.TAKEN
    if status in _UNSURE:
        return Verdict.UNSURE
    if status in _LATER or status >= 500:
        return Verdict.LATER
    if status in _WRONG_DOOR or status < 400:  # a redirect is not followed: patients' data go to one address
        return Verdict.WRONG_DOOR
    return Verdict.NEVER
