"""What master data refuses."""

from __future__ import annotations

from consortium.errors import PermanentError, RetryableError


class UnknownMapError(PermanentError):
    """No such code table, campus or target; the text says which there are."""

    code = "unknown_map"


class BusyError(RetryableError):
    """A batch of messages is under way and takes long; try again."""
