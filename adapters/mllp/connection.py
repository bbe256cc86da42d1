"""One MLLP connection: frames in, answers out in the same order, and reading stops when either side is
slow.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from adapters.mllp.batch import answerable, is_batch
from adapters.mllp.batching import Intake
from adapters.mllp.codec import read
from adapters.mllp.entrance import keep_alive
from adapters.mllp.framing import Broken, Deframer
from adapters.tls import Sender
from bus.envelope import Receipt, Refusal
from bus.hl7.ack import Code, Wrong
from bus.hl7.escaping import STANDARD
from bus.hl7.header import Header
from bus.hl7.problem import INTERNAL, SEGMENT_SEQUENCE, HL7Error
from consortium.errors import PermanentError, RetryableError

if TYPE_CHECKING:
    from adapters.mllp.server import Listener, Replies


class Turn:
    """One message's place in the order of answers."""

    __slots__ = ("answer", "connection", "header", "raw")

    def __init__(self, connection: Connection, raw: bytes, header: Header | None) -> None:
        self.connection = connection
        self.raw = raw
        self.header = header
        self.answer: bytes | None = None

    def stored(self, outcome: Receipt | Exception) -> None:
        """Answer after the commit, or after the store said that it cannot."""
        connection, header = self.connection, self.header
        if isinstance(outcome, Exception) or header is None:
            connection.failed(self, outcome)
            return
        connection.listener.accepted += 1
        self.answer = connection.listener.answers.accept(header.fields, header.codec, header.delimiters)
        connection.flush()


def _broken(frame: Broken) -> Wrong:
    return Wrong(SEGMENT_SEQUENCE, "", frame.reason, frame.code)


class Connection(asyncio.Protocol):
    """Speaks MLLP with one sender."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self.peer = ""
        self.sender: Sender | None = None
        """Whom its certificate makes of it; None: it may send for every campus."""
        self._transport: asyncio.Transport | None = None
        self._deframer = Deframer(listener.settings.body_limit, listener.settings.keep_limit)
        self._turns: deque[Turn] = deque()
        self._reading = True
        self._writable = True
        self._closing = False
        self._buffered = 0
        self._batches = 0
        self.active = listener.clock()
        """When something last came in, on the listener's clock."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, or close it at once when there are too many."""
        self._transport = transport  # type: ignore[assignment]  # a server's transport reads and writes
        host, port = (transport.get_extra_info("peername") or ("", 0))[:2]
        self.peer = f"{host}:{port}"
        keep_alive(transport)
        if self.listener.senders is not None:
            tls = transport.get_extra_info("ssl_object")
            self.sender = self.listener.senders.known(tls.getpeercert(binary_form=True) if tls else None)
        if not self.listener.join(self):
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Keep what was left unfinished; what is being stored is stored, and its sender will ask again."""
        del exc  # whichever side ended it, and why, changes nothing
        self._transport = None
        self.broken_off()
        self.listener.leave(self)

    def data_received(self, data: bytes) -> None:
        """Take frames out of the stream and start storing them."""
        self.active = self.listener.clock()
        message = self._deframer.whole(data)
        if message is not None:
            self._message(message)
        else:
            self._pieces(data)
        self._throttle()

    def _pieces(self, data: bytes) -> None:
        for frame in self._deframer.feed(data):
            if isinstance(frame, bytes):
                self._message(frame)
            else:
                self._refuse(_broken(frame), frame.body, frame.size)
        self._account()

    def pause_writing(self) -> None:
        """Stop reading from a sender that does not read its answers."""
        self._writable = False
        self._throttle()

    def resume_writing(self) -> None:
        """Read on."""
        self._writable = True
        self._throttle()

    def _message(self, raw: bytes) -> None:
        listener = self.listener
        if listener.replies is not None:
            turn = Turn(self, b"", None)
            self._turns.append(turn)
            listener.spawn(self._replied(turn, listener.replies, raw))
            return
        try:
            header, arrival = read(raw, listener.settings.campuses, listener.settings.endpoint, self.sender)
        except HL7Error as problem:
            if is_batch(raw):
                self._batch(raw)
            else:
                self._refuse(Wrong.of(problem), raw, len(raw))
            return
        turn = Turn(self, raw, header)
        self._turns.append(turn)
        listener.inbox.take(arrival, turn.stored)

    async def _replied(self, turn: Turn, replies: Replies, raw: bytes) -> None:
        turn.answer = await replies.answer(self, raw)
        self.flush()

    def _batch(self, raw: bytes) -> None:
        """Start storing a batch; nothing more is read from this sender until it is answered."""
        try:
            intake = Intake(self, raw)
        except HL7Error as problem:
            self._refuse(Wrong.of(problem), raw, len(raw))
            return
        turn = Turn(self, b"", None)
        self._turns.append(turn)
        self._batches += 1
        self.listener.spawn(self._taken(turn, intake))

    async def _taken(self, turn: Turn, intake: Intake) -> None:
        try:
            turn.answer = await intake.answer()
        finally:
            self._batches -= 1
        self.flush()

    def _refuse(self, wrong: Wrong, raw: bytes, size: int) -> None:
        turn = Turn(self, raw, None)
        self._turns.append(turn)
        self.listener.spawn(self._refused(turn, wrong, size))

    async def _refused(self, turn: Turn, wrong: Wrong, size: int) -> None:
        fields = answerable(turn.raw)  # the answer is ASCII, whatever MSH-18 was
        code, wrong = await self.keep(turn.raw, wrong, size, fields)
        turn.answer = self.listener.answers.answer(fields, code, wrong=wrong)
        self.flush()

    async def keep(self, raw: bytes, wrong: Wrong, size: int, fields: Sequence[str]) -> tuple[Code, Wrong]:
        """Keep what is refused; return what to answer: AR, or AE where it should be sent again: we are busy,
        or could not keep it.
        """
        try:
            await self.listener.refuse(self._refusal(raw, wrong, size, fields))
        except RetryableError as error:
            self.listener.unavailable += 1
            return Code.ERROR, Wrong(INTERNAL, "", str(error), "store_away")
        return Code.ERROR if wrong.code == "busy" else Code.REJECT, wrong

    def _refusal(self, raw: bytes, wrong: Wrong, size: int, fields: Sequence[str]) -> Refusal:
        settings = self.listener.settings
        known = [*fields, *[""] * (10 - len(fields))]
        return Refusal(
            protocol="mllp",
            endpoint=settings.endpoint,
            peer=self.peer,
            code=wrong.code,
            reason=wrong.reason,
            body=raw[: settings.keep_limit],
            size=size,
            facility=known[3].partition("^")[0] or None,
            control_id=known[9] or None,
            message_type="^".join(part for part in known[8].split("^")[:2] if part) or None,
        )

    def failed(self, turn: Turn, error: object) -> None:
        """Answer AE for what may be sent again; refuse what never can be stored."""
        header = turn.header
        if isinstance(error, PermanentError):
            wrong = Wrong(INTERNAL, "", str(error), "not_storable")
            self.listener.spawn(self._refused(turn, wrong, len(turn.raw)))
            return
        self.listener.unavailable += 1
        wrong = Wrong(INTERNAL, "", str(error), "store_away")
        fields = header.fields if header else []
        delimiters = header.delimiters if header else STANDARD
        codec = header.codec if header else "ascii"
        turn.answer = self.listener.answers.answer(fields, Code.ERROR, codec, delimiters, wrong)
        self.flush()

    def flush(self) -> None:
        """Send the answers that are next in order."""
        turns = self._turns
        ready = []
        while turns and turns[0].answer is not None:
            ready.append(turns.popleft().answer or b"")
        if ready and self._transport is not None:
            self._transport.write(ready[0] if len(ready) == 1 else b"".join(ready))
        if not self._reading:
            self._throttle()
        if self._closing and not turns and self._transport is not None:
            self._transport.close()

    def _account(self) -> None:
        """Tell the listener how much of an unfinished message is kept here; give it up when that is too
        much.
        """
        held = self._deframer.held
        if held != self._buffered:
            over = self.listener.buffer(held - self._buffered)
            self._buffered = held
            if over:
                self._give_up("busy", "too much is being received at once: send the message again later")

    def _give_up(self, code: str, reason: str) -> None:
        """Refuse what is unfinished and close once every answer is out."""
        broken = self._deframer.finish()
        if broken is not None:
            self._refuse(Wrong(SEGMENT_SEQUENCE, "", reason, code), broken.body, broken.size)
        self._account_nothing()
        self.stop()

    def broken_off(self) -> None:
        """Keep an unfinished message as a refusal: the connection ended inside it."""
        broken = self._deframer.finish()
        if broken is not None:
            self._refuse(_broken(broken), broken.body, broken.size)
        self._account_nothing()

    def _account_nothing(self) -> None:
        self.listener.buffer(-self._buffered)
        self._buffered = 0

    def check_time(self, now: float) -> None:
        """Close a connection that is silent for too long, inside a message or between two."""
        settings = self.listener.settings
        silent = now - self.active
        if self._deframer.unfinished and silent > settings.frame_seconds:
            self._give_up("framing", f"nothing more came for {settings.frame_seconds:.0f} s inside a message")
        elif not self._turns and silent > settings.idle_seconds:
            self.stop()

    def stop(self) -> None:
        """Read no more; close when every answer is out."""
        self._closing = True
        self._throttle()
        self.flush()

    def _throttle(self) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        waiting = len(self._turns)
        most = self.listener.settings.in_flight
        if self._reading and (waiting >= most or self._batches or not self._writable or self._closing):
            self._reading = False
            transport.pause_reading()
        elif (
            not self._reading
            and waiting <= most // 2
            and not self._batches
            and self._writable
            and not self._closing
        ):
            self._reading = True
            transport.resume_reading()
