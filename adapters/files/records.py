"""What is found in a file: records that can be taken, records that cannot, or a file that cannot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bus.envelope import Arrival
from consortium.errors import PermanentError

Get = Callable[[str], str | None]
"""Gives the text at a column or path; None when absent or empty."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One record cut out of a file, readable."""

    line: int
    """The line of the file on which it begins, from 1; of HL7 the segment."""
    body: bytes
    charset: str
    get: Get
    raw: bytes
    """As it lies in the file, for a refusal."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record as a message."""

    number: int
    """Its place in the file, from 1."""
    line: int
    arrival: Arrival
    key: str | None = None
    """The business key of which the arrival is a version: the ledger gives the control id."""


@dataclass(frozen=True, slots=True)
class Bad:
    """One record that cannot be taken."""

    line: int
    code: str
    reason: str
    """A sentence for a person; holds nothing of the content."""
    raw: bytes
    number: int = 0
    """Its place in the file, from 1; 0 before it was counted."""


class FileError(PermanentError):
    """A file that cannot be taken as a whole. `code` names why; the text holds nothing of the content."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
