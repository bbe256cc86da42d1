"""What the contract suite of transports needs of a kind: a receiver that behaves as it is told."""

from __future__ import annotations

import enum
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Protocol

from bus.delivery.transport import Outgoing, Transport
from bus.rules.destinations import AnyDestination
from bus.rules.spec import Form
from tests.integration.bus.clinic import hl7

NAME = "欧阳珅"
"""The patient's, which no reason may quote."""


class How(enum.Enum):
    """How a receiver behaves."""

    TAKES = "takes"
    REFUSES = "will never take it"
    LATER = "may take it later"
    WRONG_DOOR = "takes nothing from us"
    SILENT = "does not answer"
    CLOSES = "closes the connection instead of an answer"


class Receiver(Protocol):
    """Another system."""

    @property
    def spec(self) -> AnyDestination:
        """What its file says."""
        ...

    @property
    def transport(self) -> Transport:
        """Our way to it."""
        ...

    async def behave(self, how: How) -> None:
        """Behave so from now on."""
        ...

    async def down(self) -> None:
        """Be switched off."""
        ...

    async def got(self) -> list[str]:
        """Return the control ids of what reached it, in order, each time that it did."""
        ...

    async def effects(self) -> list[str]:
        """Return the control ids of what it did something about: an idempotent receiver does it once."""
        ...


class Harness(Protocol):
    """A kind of destination."""

    reads: bool
    """Whether it looks into a message, and so can find one unsendable."""

    def receiving(self) -> AbstractAsyncContextManager[Receiver]:
        """Run a receiver, and a transport with short times towards it."""
        ...


def outgoing(
    number: int, *, body: bytes | None = None, name: str = NAME, charset: str = "gb18030"
) -> Outgoing:
    """Return one message; its control id is C and the number."""
    text = hl7("ADT^A08", "M1", name=name, control_id=f"C{number}").body.decode("gb18030")
    sent = text.encode(charset) if body is None else body
    return Outgoing(number, 1, number, "ADT^A08", charset, Form.RAW, sent, datetime.now(UTC))
