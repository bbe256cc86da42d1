"""What every parsed message offers to the rules, whatever protocol carried it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from consortium.errors import PermanentError


class Source(Protocol):
    """One message, or one repeated part of it."""

    def get(self, path: str) -> str | None:
        """Return the decoded, unescaped text at `path`; None when it is absent or empty.

        Raises `PathError` when `path` is not written as this kind of source needs it.
        """
        ...

    def each(self, path: str) -> Sequence[Source]:
        """Return the repeated parts that `path` names, in the order sent."""
        ...

    def cel(self) -> Mapping[str, Any]:
        """Return what a CEL expression sees as `msg`: type, sender, facility, protocol, control_id."""
        ...


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is known of a message before its body is read."""

    facility: str
    sender: str
    message_type: str
    protocol: str = ""
    control_id: str = ""
    kind: str = ""
    """What a change is about, of a message that is recorded without a rule; empty: the rule says it."""

    def cel(self) -> Mapping[str, Any]:
        """Return the variables of `msg`."""
        return {
            "type": self.message_type,
            "sender": self.sender,
            "facility": self.facility,
            "protocol": self.protocol,
            "control_id": self.control_id,
            "kind": self.kind,
        }


class PathError(PermanentError):
    """A path that this kind of source cannot follow: a mistake in a rule. `path` is the path, where known."""

    def __init__(self, reason: str, path: str = "") -> None:
        super().__init__(reason)
        self.path = path


class UnreadableError(PermanentError):
    """A body that cannot be parsed. `code` names why for the held list; the text holds no patient data."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
