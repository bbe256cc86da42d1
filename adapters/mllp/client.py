"""Sending over MLLP: one message at a time, each matched with its own answer by MSA-2."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

from adapters.mllp import batch as batches
from adapters.mllp.framing import Broken
from adapters.mllp.wire import Wire
from bus.hl7.header import glimpse
from bus.hl7.message import parse
from bus.hl7.problem import HL7Error
from consortium.errors import RetryableError

Found = TypeVar("Found")

_LIMIT = 16 * 1024 * 1024
"""Largest answer, bytes: a batch is answered by a batch."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An acknowledgement as it came."""

    code: str
    """MSA-1: AA, AE, AR, CA, CE, CR."""
    control_id: str | None
    """MSA-2: the message that is answered."""
    raw: bytes
    reason: str | None = None
    """What the receiver says is wrong: ERR-8, MSA-3."""
    error_code: str | None = None
    """The receiver's own code of it (ERR-5)."""
    expected: str | None = None
    """Where the receiver stands in the sequence number protocol (MSA-4)."""

    @property
    def accepted(self) -> bool:
        """Whether the message is stored there."""
        return self.code in {"AA", "CA"}


def read_answer(raw: bytes) -> Answer:
    """Read an acknowledgement. Raises HL7Error for what is none."""
    message = parse(raw)
    code = message.get("MSA-1")
    if code is None:
        raise HL7Error("no_acknowledgement", "the answer has no segment MSA", location="MSA")
    reason = message.get("ERR-8") or message.get("MSA-3")
    return Answer(code, message.get("MSA-2"), raw, reason, message.get("ERR-5"), message.get("MSA-4"))


def _reference(header: bytes) -> str:
    """Return BHS-12 or FHS-12."""
    parts = header.decode("iso8859_1").split(chr(header[3]))
    return parts[11] if len(parts) > 11 else ""


class Client:
    """One connection to a receiver, made when needed. Use it with `async with`."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        timeout: float = 30.0,
        tls: ssl.SSLContext | None = None,
        server_name: str | None = None,
    ) -> None:
        """`timeout`: seconds to connect, and to wait for an answer. `tls`: see `adapters.tls`;
        `server_name`: the name in the receiver's certificate where it is not `host`.
        """
        self._tls = tls
        self._server_name = server_name if tls else None
        self._host = host
        self._port = port
        self._timeout = timeout
        self._wire: Wire | None = None

    async def __aenter__(self) -> Self:
        """Give the client; it connects with the first message."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        await self.close()

    async def send(self, message: bytes) -> Answer:
        """Send a message, without frame, and return the answer to it, whatever it says.

        Raises RetryableError when the receiver is away or does not answer in time. The connection is dropped
        then, so that a late answer is never taken for that of the next message.
        """
        wanted = (*glimpse(message), *[""] * 10)[9]

        def answering(raw: bytes) -> Answer | None:
            answer = read_answer(raw)
            return answer if not wanted or answer.control_id in {wanted, None} else None

        return await self._sent(message, answering)

    async def send_batch(self, batch: bytes) -> list[Answer]:
        """Send a batch, and return what it is answered, in order: to each message that is to be answered, and
        to a batch whose count is wrong, under the control id of the batch. Raises as `send` does.
        """
        wanted = (*batches.answerable(batch), *[""] * 10)[9]

        def answering(raw: bytes) -> list[Answer] | None:
            if not batches.is_batch(raw):  # refused as a whole
                answer = read_answer(raw)
                return [answer] if answer.control_id in {wanted or None, None} else None
            answered = batches.split(raw)
            reference = _reference(answered.header or answered.batches[0].header)
            found = [read_answer(message) for part in answered.batches for message in part.messages]
            return found if reference == wanted else None

        return await self._sent(batch, answering)

    async def _sent(self, message: bytes, answering: Callable[[bytes], Found | None]) -> Found:
        try:
            async with asyncio.timeout(self._timeout):
                return await self._exchange(message, answering)
        except ssl.SSLError as error:
            await self.close()
            cause = getattr(error, "verify_message", "") or error.reason or "no TLS there"
            raise RetryableError(f"no TLS with {self._host}:{self._port}: {cause}") from error
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            await self.close()
            raise RetryableError(
                f"no answer from {self._host}:{self._port} ({type(error).__name__})"
            ) from error
        except BaseException:
            await self.close()
            raise

    async def _exchange(self, message: bytes, answering: Callable[[bytes], Found | None]) -> Found:
        wire = self._wire
        if wire is None:
            wire = await Wire.open(
                self._host, self._port, _LIMIT, tls=self._tls, server_name=self._server_name
            )
            self._wire = wire
        await wire.write(message)
        while True:
            frame = await wire.frame()
            if isinstance(frame, Broken):
                raise HL7Error("framing", f"the receiver's answer is broken: {frame.reason}")
            answer = answering(frame)
            if answer is not None:
                return answer

    async def close(self) -> None:
        """Drop the connection; the next message makes another."""
        wire, self._wire = self._wire, None
        if wire is not None:
            await wire.close()
