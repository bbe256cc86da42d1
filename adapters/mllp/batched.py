"""Delivering over MLLP in batches (HL7 v2.5 §2.10.3): what is on its way at the same time goes in one frame.

FHS, BHS, the messages, BTS, FTS. Each message has the outcome of its own answer, found by its control id,
in an answer of one frame (a batch) or of several; an answer to the batch's own control id is one to each.
Whatever has no answer when the time is over, or the connection is lost, is not known to be taken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from adapters.mllp.batch import is_batch, split
from adapters.mllp.framing import Broken
from adapters.mllp.links import Links, Msa, control_id, read_msa
from adapters.mllp.wire import Wire
from bus.delivery.transport import Answer, OnWire, Outgoing, UnansweredError
from bus.hl7.problem import HL7Error
from bus.rules.destinations import MllpDestination


@dataclass(eq=False, slots=True)
class Entry:
    """One message that waits for its batch, and then for its answer."""

    message: Outgoing
    wanted: bytes
    on_wire: OnWire
    ended: asyncio.Future[Answer] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def fail(self, error: BaseException) -> None:
        """End it, unless it has ended."""
        if not self.ended.done():
            self.ended.set_exception(error)


class BatchedTransport:
    """`bus.delivery.transport.Transport` over MLLP, several messages in one frame."""

    def __init__(self, spec: MllpDestination) -> None:
        """Raises PermanentError when the TLS files cannot be read."""
        assert spec.batch is not None  # noqa: S101 - narrows: only such a destination comes here
        self._spec = spec
        self._batch = spec.batch
        self._links = Links(spec)
        self._waiting: list[Entry] = []
        self._due: asyncio.TimerHandle | None = None
        self._going: set[asyncio.Task[None]] = set()

    async def check(self) -> None:
        """Nothing can be told of a receiver without a message."""

    async def send(self, message: Outgoing, on_wire: OnWire) -> Answer:
        """Send one message with others; see `Transport`."""
        entry = Entry(message, control_id(message.body), on_wire)
        self._waiting.append(entry)
        if len(self._waiting) >= self._batch.messages:
            self._start()
        elif self._due is None:
            self._due = asyncio.get_running_loop().call_later(self._batch.wait_seconds, self._start)
        return await entry.ended

    async def close(self) -> None:
        """Let what is on its way and all idle connections go."""
        if self._due is not None:
            self._due.cancel()
        for task in self._going:
            task.cancel()
        await asyncio.gather(*self._going, return_exceptions=True)
        self._links.close()

    def _start(self) -> None:
        """Send what waits, as far as one batch holds it; two of one control id go one after the other."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
        taken: dict[bytes, Entry] = {}
        left: list[Entry] = []
        for entry in self._waiting:
            if entry.ended.done():  # given up by whoever waited
                continue
            if entry.wanted in taken or len(taken) == self._batch.messages:
                left.append(entry)
            else:
                taken[entry.wanted] = entry
        self._waiting = left
        if left:
            self._due = asyncio.get_running_loop().call_later(self._batch.wait_seconds, self._start)
        if taken:
            task = asyncio.create_task(self._send(list(taken.values())))
            self._going.add(task)
            task.add_done_callback(self._going.discard)

    async def _send(self, entries: Sequence[Entry]) -> None:
        try:
            await self._delivered(entries)
        except Exception as error:  # noqa: BLE001 - each of them raises it to whoever sent it
            _fail(entries, error)
        except asyncio.CancelledError:
            _fail(entries, UnansweredError("the delivery process was stopped before the answer came"))
            raise

    async def _delivered(self, entries: Sequence[Entry]) -> None:
        wire = await self._links.take()
        try:
            if going := await _marked(entries):
                await self._exchange(wire, going)
        except BaseException:
            wire.drop()
            raise
        self._links.give_back(wire)

    async def _exchange(self, wire: Wire, entries: Sequence[Entry]) -> None:
        """Send a batch and read until each message has its answer. Raises UnansweredError."""
        first = entries[0].message
        batch_id = f"YLB{first.id}-{first.attempt}"
        open_ = {entry.wanted: entry for entry in entries}
        try:
            async with asyncio.timeout(self._spec.timeout_seconds):
                await wire.write(self._enclosed([entry.message.body for entry in entries], batch_id))
                while open_:
                    frame = await wire.frame()
                    for piece, msa in _acknowledgements(frame):
                        self._settle(open_, piece, msa, batch_id.encode("ascii"))
        except TimeoutError as error:
            raise UnansweredError(f"no answer to it within {self._spec.timeout_seconds:g} s") from error
        except OSError as error:
            raise UnansweredError("the connection was lost before its answer came") from error

    def _settle(self, open_: dict[bytes, Entry], piece: bytes, msa: Msa, batch_id: bytes) -> None:
        verdict = self._links.verdicts.get(msa.code)
        if verdict is None:
            return
        named = list(open_) if msa.control_id == batch_id else [msa.control_id]
        for wanted in named:
            entry = open_.pop(wanted, None)
            if entry is not None and not entry.ended.done():
                entry.ended.set_result(Answer(verdict, msa.code.decode("ascii"), piece))

    def _enclosed(self, messages: Sequence[bytes], batch_id: str) -> bytes:
        told = self._spec.hl7
        now = datetime.now(UTC).strftime("%Y%m%d%H%M%S+0000")
        ends = ["^~\\&", "YILIAN", "", told.receiving_application, told.receiving_facility, now, "", "", ""]
        head = ["|".join([name, *ends, batch_id]) for name in ("FHS", "BHS")]
        inside = [message.rstrip(b"\r\n") for message in messages]
        lines = [line.encode() for line in head] + inside + [f"BTS|{len(inside)}".encode(), b"FTS|1"]
        return b"\r".join(lines) + b"\r"


def _fail(entries: Sequence[Entry], error: Exception) -> None:
    for entry in entries:
        entry.fail(error)


async def _marked(entries: Sequence[Entry]) -> list[Entry]:
    """Tell the queue that they go out now; returns those of which it agrees."""
    live = [entry for entry in entries if not entry.ended.done()]
    marks = (entry.on_wire(entry.message.as_it_is) for entry in live)
    told = await asyncio.gather(*marks, return_exceptions=True)
    for entry, error in zip(live, told, strict=True):
        if error is not None:
            entry.fail(error)
    return [entry for entry in live if not entry.ended.done()]


def _acknowledgements(frame: bytes | Broken) -> Iterator[tuple[bytes, Msa]]:
    """Give each acknowledgement of a frame with its own bytes. Raises UnansweredError."""
    if isinstance(frame, Broken):
        raise UnansweredError("what came back is no MLLP frame", frame.body)
    pieces = [frame]
    if is_batch(frame):
        try:
            pieces = [message for batch in split(frame).batches for message in batch.messages]
        except HL7Error as error:
            raise UnansweredError(f"what came back is no batch of HL7: {error.reason}", frame) from error
    for piece in pieces:
        if (msa := read_msa(piece)) is not None:
            yield piece, msa
