"""What master data refuses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from consortium.errors import PermanentError, RetryableError

SHOWN = 50
"""Mistakes that an error lists."""


class UnknownMapError(PermanentError):
    """No such code table, campus or target; the text says which there are."""

    code = "unknown_map"


class BusyError(RetryableError):
    """A batch of messages is under way and takes long; try again."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake of a file."""

    line: int
    column: str
    """Empty: the whole line."""
    message: str

    @property
    def place(self) -> str:
        """Return where it is."""
        return f"line {self.line}, {self.column}" if self.column else f"line {self.line}"


class InvalidFileError(PermanentError):
    """A file with mistakes; nothing of it was taken."""

    code = "invalid_file"

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems[:SHOWN])
        more = f"\nand {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        lines = "\n".join(f"{problem.place}: {problem.message}" for problem in self.problems)
        super().__init__(f"nothing was imported; correct these and import again:\n{lines}{more}")
