"""What a way of sending offers to delivery, and what it says of one attempt. Adapters have the ways."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from bus.rules.spec import Form
from consortium.errors import PermanentError, RetryableError

ANSWER_KEPT = 64 * 1024
"""Bytes kept of an answer."""


UNREACHABLE = "unreachable"
"""Code of a destination to which there is no connection."""


class NotSentError(RetryableError):
    """Not one byte of the message went out: the destination cannot be reached, or is not as its file says.

    The text holds no data.
    """

    def __init__(self, reason: str, code: str = UNREACHABLE) -> None:
        super().__init__(reason)
        self.code = code


class UnansweredError(RetryableError):
    """The message went out, in whole or in part, and no answer to it came: nobody knows whether it was
    taken.
    """

    def __init__(self, reason: str, answer: bytes | None = None) -> None:
        super().__init__(reason)
        self.answer = answer
        """What came instead of an answer to this message."""


class UnsendableError(PermanentError):
    """This message can never go this way: no HL7 for an MLLP receiver. `code` names why."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Verdict(enum.Enum):
    """What an answer means."""

    TAKEN = "the receiver has it"
    LATER = "the receiver did not take it, and may later"
    NEVER = "the receiver will never take this message"
    WRONG_DOOR = "the receiver takes nothing from us here: sign-in or address"
    UNSURE = "somebody between answered: the receiver may have it"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to the message that was sent."""

    verdict: Verdict
    code: str
    """MSA-1 or the HTTP status."""
    raw: bytes
    retry_after: float | None = None
    """Seconds the receiver asks to wait."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message to send."""

    id: int
    """Of the delivery: the same in every attempt."""
    attempt: int
    message_id: int
    message_type: str
    charset: str
    form: Form
    body: bytes
    queued_at: datetime
    control_id: str = ""
    """By which its sender knows the message (MSH-10)."""
    again_of: int | None = None
    """The delivery that it repeats on purpose."""

    @property
    def as_it_is(self) -> SentForm:
        """What goes out when nothing is made of it."""
        json = self.form in (Form.CANONICAL, Form.FHIR)
        return SentForm(self.body, "utf-8" if json else self.charset)


@dataclass(frozen=True, slots=True)
class SentForm:
    """What goes out of a message, as the receiver gets it."""

    body: bytes
    charset: str
    """By which people read it."""
    place: str | None = None
    """Where it goes, when that is made of the message: a URL, a file's name."""


OnWire = Callable[[SentForm], Awaitable[None]]
"""Awaited with what goes out before its first byte does; when it raises, nothing may go out."""


def secret_of(secrets: Mapping[str, str], name: str) -> str:
    """Return a secret by the name that a file uses. Raises PermanentError when it is not set."""
    found = secrets.get(name)
    if not found:
        raise PermanentError(
            f"its secret {name!r} is not set: write it under [delivery_secrets] in settings.toml, or"
            f" set YILIAN_DELIVERY_SECRETS__{name.upper()}; then start delivery again"
        )
    return found


class Found(enum.Enum):
    """What a receiver says when it is asked whether it has a message."""

    THERE = "it has it"
    NOT_THERE = "it does not have it"
    UNTOLD = "it did not say"


@runtime_checkable
class Asking(Protocol):
    """A way that can ask whether a message has arrived."""

    async def arrived(self, message: Outgoing) -> Found:
        """Ask, and change nothing there. Raises YilianError where it cannot be asked."""
        ...


class Transport(Protocol):
    """A way to one destination."""

    async def check(self) -> None:
        """Look whether the destination is as its file says, without sending anything.

        Raises NotSentError, whose text says what is to be corrected. A way that cannot tell does nothing.
        """
        ...

    async def send(self, message: Outgoing, on_wire: OnWire) -> Answer:
        """Send one message and return the answer to it.

        Raises NotSentError, UnansweredError, UnsendableError. Cancelled, it drops the connection. Several may
        run at a time, as many as the destination has connections.
        """
        ...

    async def close(self) -> None:
        """Let all connections go."""
        ...
