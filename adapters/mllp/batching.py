"""Taking a batch in: each message is stored or refused on its own, and all are answered together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from adapters.mllp import batch
from adapters.mllp.batch import Batch, File, Miscount, Told
from adapters.mllp.codec import read
from adapters.mllp.framing import framed
from bus.envelope import Receipt
from bus.hl7.ack import Code, Wrong
from bus.hl7.header import Header, glimpse
from bus.hl7.problem import INTERNAL, SEGMENT_SEQUENCE, HL7Error
from consortium.errors import PermanentError, RetryableError

if TYPE_CHECKING:
    from adapters.mllp.connection import Connection


@dataclass(slots=True)
class _Item:
    """One message of a batch: what is known of it, and the receipt or problem that decides its answer."""

    raw: bytes
    place: str
    """Which message of which batch, for a person."""
    header: Header | None = None
    stored: asyncio.Future[Receipt] | None = None
    problem: HL7Error | None = None


class Intake:
    """One frame of a batch on its way: submitted when made, so that inbox order is the order of arrival."""

    def __init__(self, connection: Connection, raw: bytes) -> None:
        """Raises HL7Error for a frame that is no batch as a whole: then nothing of it is stored."""
        settings = connection.listener.settings
        self._connection = connection
        self._file = batch.split(raw)
        if self._file.size > settings.batch_limit:
            reason = f"{self._file.size} messages in one batch, and the limit is {settings.batch_limit}"
            raise HL7Error("too_large", f"{reason}: send it in parts", SEGMENT_SEQUENCE, "BHS")
        self._items = [self._submit(each) for each in self._file.batches]

    def _submit(self, sent: Batch) -> list[_Item]:
        named = batch.named((batch.fields(sent.header, "ascii") or [""] * 10)[9])
        items = [_Item(raw, f"message {n} of {named}") for n, raw in enumerate(sent.messages, 1)]
        listener = self._connection.listener
        for item in items:
            try:
                campuses, endpoint = listener.settings.campuses, listener.settings.endpoint
                item.header, arrival = read(item.raw, campuses, endpoint, self._connection.sender)
                item.stored = listener.inbox.submit(arrival)
            except HL7Error as problem:
                item.problem = problem
        return items

    async def answer(self) -> bytes:
        """Return the framed answer, once every message is stored or refused."""
        parts = []
        for sent, items in zip(self._file.batches, self._items, strict=True):
            parts.append(await self._answer_batch(sent, items))
        wrong = [await self._miscounted(self._file, miscount) for miscount in batch.miscounts(self._file)]
        if wrong and parts:  # FTS-1 has no place of its own among acknowledgements: the last batch tells it
            parts[-1] = (parts[-1][0], [*parts[-1][1], *wrong], parts[-1][2])
        return framed(self._composed(parts))

    async def _answer_batch(self, sent: Batch, items: Sequence[_Item]) -> tuple[Batch, list[bytes], str]:
        codes, answers = [], []
        for item in items:
            code, answer = await self._answer_item(item)
            codes.append(code)
            answers += [answer] if answer else []
        answers += [await self._miscounted(sent, miscount) for miscount in batch.miscounts(sent)]
        return sent, answers, f"{codes.count(Code.ACCEPT)} of {len(items)} accepted"

    async def _answer_item(self, item: _Item) -> tuple[Code, bytes]:
        listener, header = self._connection.listener, item.header
        if header is None or item.stored is None:
            return await self._refused(item)
        answer = partial(
            listener.answers.within, header.fields, codec=header.codec, delimiters=header.delimiters
        )
        try:
            await item.stored
        except RetryableError as away:
            listener.unavailable += 1
            return Code.ERROR, answer(Code.ERROR, wrong=Wrong(INTERNAL, "", str(away), "store_away"))
        except PermanentError as never:
            item.problem = HL7Error("not_storable", str(never), INTERNAL)
            return await self._refused(item)
        listener.accepted += 1
        return Code.ACCEPT, answer(Code.ACCEPT)

    async def _refused(self, item: _Item) -> tuple[Code, bytes]:
        problem = item.problem or HL7Error("not_storable", "it could not be read", INTERNAL)
        fields = glimpse(item.raw)[:17]
        reason = f"{item.place}: {problem.reason}"
        wrong = Wrong(problem.condition, problem.location, reason, problem.code)
        code, wrong = await self._connection.keep(item.raw, wrong, len(item.raw), fields)
        return code, self._connection.listener.answers.within(fields, code, wrong=wrong)

    async def _miscounted(self, sent: Batch | File, miscount: Miscount) -> bytes:
        """Keep a wrong count among the refusals, and answer it under the control id of its batch."""
        told = sent.header + b"\r" + sent.trailer + b"\r"
        asked = batch.fields(sent.header, "ascii")
        wrong = Wrong(SEGMENT_SEQUENCE, miscount.location, miscount.reason, "batch_count")
        code, wrong = await self._connection.keep(told, wrong, len(told), asked)
        delimiters = batch.delimiters(sent.header)
        return self._connection.listener.answers.within(asked, code, delimiters=delimiters, wrong=wrong)

    def _composed(self, parts: Sequence[tuple[Batch, list[bytes], str]]) -> bytes:
        codec = self._codec()
        now, number = self._connection.listener.answers.stamp()
        lines = []
        for sent, answers, comment in parts:
            told = Told(now, number, codec, len(answers), comment)
            head, tail = batch.envelope("BHS", sent.header, told)
            lines += [head, *answers, tail]
        if not self._file.header:
            return b"".join(lines)
        head, tail = batch.envelope("FHS", self._file.header, Told(now, number, codec, len(parts)))
        return b"".join([head, *lines, tail])

    def _codec(self) -> str:
        """Return the character set of the headers, which name none: that of the first readable message."""
        headers = (item.header for items in self._items for item in items)
        return next((header.codec for header in headers if header), "utf-8")
