"""Delivering over MLLP by the sequence number protocol: one message after the other, each with its number.

A connection begins with the question which number is expected. What was sent and not answered before is
settled by the answer, and sent again only where the receiver does not have it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic

from adapters.mllp.links import Links, control_id, read_msa
from adapters.mllp.numbering import Head, Verdict, decide, expected_of
from adapters.mllp.numbers import Numbers
from adapters.mllp.wire import Wire
from bus.delivery.transport import (
    Answer,
    NotSentError,
    OnWire,
    Outgoing,
    SentForm,
    UnansweredError,
    UnsendableError,
)
from bus.delivery.transport import Verdict as Settled
from bus.rules.destinations import MllpDestination

CODE = "sequence"
"""Code of what the number settled, and not an answer of its own."""


@dataclass(frozen=True, slots=True)
class _Link:
    """An open connection, and what the receiver expects on it."""

    wire: Wire
    expected: int
    said: bytes
    """The answer that says so."""


class NumberedTransport:
    """`bus.delivery.transport.Transport` over MLLP with MSH-13 and MSA-4. It sends one message at a time."""

    def __init__(self, spec: MllpDestination, numbers: Numbers) -> None:
        """Raises PermanentError when the TLS files cannot be read."""
        self._spec = spec
        self._links = Links(spec)
        self._numbers = numbers
        self._link: _Link | None = None
        self._openings = 0
        self._turn = asyncio.Lock()

    async def check(self) -> None:
        """Nothing can be told of a receiver without a message."""

    async def send(self, message: Outgoing, on_wire: OnWire) -> Answer:
        """Send one message; see `Transport`."""
        wanted = control_id(message.body)
        head = Head.of(message.body, message.charset)
        async with self._turn:
            link, self._link = await self._joined(head), None  # whatever fails from here on ends the link
            try:
                return await self._send(link, message.id, head, wanted, on_wire)
            finally:
                if self._link is None:
                    link.wire.drop()

    async def close(self) -> None:
        """Let the connection and the store go."""
        link, self._link = self._link, None
        if link is not None:
            link.wire.drop()
        self._links.close()
        await self._numbers.close()

    async def _send(self, link: _Link, id_: int, head: Head, wanted: bytes, on_wire: OnWire) -> Answer:
        before = await self._numbers.before(id_)
        last = await self._numbers.last() if link.expected <= 0 else None
        decision = decide(link.expected, last, before)
        if decision.verdict is Verdict.TAKEN:
            self._link = link
            return Answer(Settled.TAKEN, CODE, link.said)
        if decision.verdict is Verdict.LOST:
            await self._numbers.forget(id_)
            reason = (
                "it was sent before, and the receiver counts anew and cannot tell whether it has it; ask it"
            )
            raise UnsendableError("sequence_lost", f"{reason}, then discard or resend")
        await self._numbers.keep(id_, decision.number)
        body = head.numbered(decision.number)
        await on_wire(SentForm(body, head.codec))
        answer = await self._links.exchange(link.wire, body, wanted)
        link.wire.used = monotonic()
        if answer.verdict is Settled.TAKEN:
            self._link = _Link(link.wire, decision.number + 1, answer.raw)
            return answer
        return await self._refused(id_, decision.number, answer)

    async def _refused(self, id_: int, number: int, answer: Answer) -> Answer:
        """Take an answer that says no; the next message asks anew what is expected."""
        try:
            await self._numbers.forget(id_)
        except NotSentError as error:
            raise UnansweredError("its answer came while the store was away", answer.raw) from error
        msa = read_msa(answer.raw)
        expected = expected_of(msa.expected) if msa else None
        if expected not in (None, number):
            return Answer(Settled.LATER, CODE, answer.raw)  # of the number, and not of the message
        return answer

    async def _joined(self, head: Head) -> _Link:
        """Return the open link, or open one. Raises NotSentError."""
        link = self._link
        if link is not None and link.wire.alive and monotonic() - link.wire.used < self._spec.keep_seconds:
            return link
        if link is not None:
            link.wire.drop()
            self._link = None
        wire = await self._links.take()
        try:
            return await self._opened(wire, head)
        except BaseException:
            wire.drop()
            raise

    async def _opened(self, wire: Wire, head: Head) -> _Link:
        self._openings += 1
        at = datetime.now(UTC)
        name = f"YLS{at:%Y%m%d%H%M%S}-{self._openings}"
        opening = head.opening(name, f"{at:%Y%m%d%H%M%S}+0000")
        try:
            answer = await self._links.exchange(wire, opening, name.encode("ascii"))
        except UnansweredError as error:
            raise NotSentError(f"the opening of the link: {error}") from error
        msa = read_msa(answer.raw)
        expected = expected_of(msa.expected) if msa else None
        if answer.verdict is not Settled.TAKEN or expected is None:
            reason = (
                f"the receiver answered {answer.code} without a number in MSA-4 to the opening of the link"
            )
            raise NotSentError(f"{reason}: it does not keep the sequence number protocol", "no_sequence")
        return _Link(wire, expected, answer.raw)
