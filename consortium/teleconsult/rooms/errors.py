"""Why somebody does not come into a room."""

from __future__ import annotations

from consortium.errors import PermanentError, RetryableError, SecurityError


class RoomRefusedError(SecurityError):
    """Not this person, not now, or not this link. `code` is for programs; the page has words for each."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class NotBookableError(PermanentError):
    """What is to be booked contradicts itself, or what is booked already."""

    code = "not_bookable"


class VideoAwayError(RetryableError):
    """The video server does not answer, or there is none."""
