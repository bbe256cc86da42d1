"""An endpoint that keeps the sequence number protocol: one message after the other, none missing between."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from adapters.mllp import sequence
from adapters.mllp.batch import answerable, is_batch
from adapters.mllp.codec import read
from adapters.mllp.sequence import Last, Ledger, Opening, Verdict
from bus.hl7.ack import Code, Wrong
from bus.hl7.header import Header
from bus.hl7.problem import INTERNAL, SEGMENT_SEQUENCE, HL7Error
from consortium.errors import PermanentError, RetryableError

if TYPE_CHECKING:
    from adapters.mllp.connection import Connection
    from adapters.mllp.server import Listener


class Ordered:
    """Takes the messages of one endpoint one by one, in the order in which they came in."""

    def __init__(self, listener: Listener, ledger: Ledger) -> None:
        self._listener = listener
        self._ledger = ledger
        self._turn = asyncio.Lock()

    async def answer(self, connection: Connection, raw: bytes) -> bytes:
        """Store or refuse a message; return the framed answer, whose MSA-4 says where the sender stands."""
        async with self._turn:
            try:
                return await self._answer(connection, raw)
            except HL7Error as problem:
                code, wrong = await connection.keep(raw, Wrong.of(problem), len(raw), answerable(raw))
            except RetryableError as error:
                self._listener.unavailable += 1
                code, wrong = Code.ERROR, Wrong(INTERNAL, "", str(error), "store_away")
            return self._listener.answers.answer(answerable(raw), code, wrong=wrong)

    async def _answer(self, connection: Connection, raw: bytes) -> bytes:
        if is_batch(raw):
            reason = "this endpoint keeps the sequence number protocol: send messages one by one"
            raise HL7Error("batch", reason, SEGMENT_SEQUENCE, "BHS")
        told = self._listener.settings
        opening = sequence.opening(raw, told.campuses)
        if opening is not None:
            if connection.sender is not None:
                connection.sender.check(opening.facility)
            return await self._open(opening)
        header, arrival = read(raw, told.campuses, told.endpoint, connection.sender)
        number = sequence.number_of([*header.fields, *[""] * 13][12])
        key = self._key(header.facility, header.sender)
        last = await self._ledger.last(key)
        verdict = sequence.decide(last, number, header.control_id)
        if verdict is Verdict.REFUSE:
            return await self._refused(connection, raw, header, sequence.expected(last))
        try:
            await self._listener.inbox.submit(arrival)
        except PermanentError as never:
            raise HL7Error("not_storable", str(never), INTERNAL) from never
        if verdict is Verdict.TAKE:
            await self._ledger.save(key, Last(number, header.control_id))
        self._listener.accepted += 1
        return self._listener.answers.answer(
            header.fields, Code.ACCEPT, header.codec, header.delimiters, expected=str(number)
        )

    async def _open(self, opening: Opening) -> bytes:
        key = self._key(opening.facility, opening.sender)
        if opening.number == sequence.RESET:
            await self._ledger.forget(key)
        expected = sequence.expected(await self._ledger.last(key))
        return self._listener.answers.answer(
            opening.fields, Code.ACCEPT, opening.codec, opening.delimiters, expected=str(expected)
        )

    async def _refused(self, connection: Connection, raw: bytes, header: Header, expected: int) -> bytes:
        reason = f"MSH-13 is not the number that is expected, {expected}: send that message first"
        wrong = Wrong(SEGMENT_SEQUENCE, "MSH-13", reason, "sequence")
        _, wrong = await connection.keep(raw, wrong, len(raw), answerable(raw))
        # AE, not AR: the same message is taken when what is missing has come.
        return self._listener.answers.answer(
            header.fields, Code.ERROR, header.codec, header.delimiters, wrong, expected=str(expected)
        )

    def _key(self, facility: str, sender: str) -> str:
        return f"mllp/{self._listener.settings.endpoint}/{facility}/{sender}"
