"""Why someone was not let in."""

from __future__ import annotations

from consortium.errors import SecurityError


class NotSignedInError(SecurityError):
    """No credentials, or ones that do not hold: wrong, expired, tampered with, of a closed account."""


class ForbiddenError(SecurityError):
    """Signed in, and still not allowed; the text is the decision's reason."""


class LockedOutError(SecurityError):
    """Too many failed sign-ins. `retry_after`: seconds until the next try counts."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"too many failed sign-ins; try again in {retry_after} s")
        self.retry_after = retry_after
