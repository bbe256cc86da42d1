"""Answers of the identity endpoint: the messages of a connection one after the other, in threads."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import sqlalchemy as sa
import structlog

from adapters.mllp.batch import answerable, is_batch
from adapters.mllp.framing import framed
from adapters.mllp.pix.settings import Subjects
from bus.hl7.ack import Code, Wrong
from bus.hl7.problem import INTERNAL, SEGMENT_SEQUENCE, HL7Error
from bus.pix.manager import Manager, Reply
from consortium.errors import RetryableError

if TYPE_CHECKING:
    from adapters.mllp.connection import Connection
    from adapters.mllp.server import Listener

log = structlog.get_logger("adapters.mllp.pix")

THREADS = 8
"""Messages that are worked on at a time, of as many connections."""


class PixReplies:
    """`adapters.mllp.server.Replies` by a manager."""

    def __init__(self, listener: Listener, manager: Manager, subjects: Subjects) -> None:
        self._subjects = subjects
        self._listener = listener
        self._manager = manager
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="pix")
        self._turns: WeakKeyDictionary[Connection, asyncio.Lock] = WeakKeyDictionary()

    async def answer(self, connection: Connection, raw: bytes) -> bytes:
        """Return the framed answer. Every message has one, whatever it is."""
        turn = self._turns.setdefault(connection, asyncio.Lock())
        async with turn:
            try:
                reply = await self._asked(connection, raw)
            except HL7Error as problem:
                return await self._refused(connection, raw, Wrong.of(problem))
            except (RetryableError, sa.exc.OperationalError, sa.exc.TimeoutError) as error:
                log.warning("unavailable", error=type(error).__name__)
                reason = "the platform's database is away or busy: nothing was done, send the message again"
                return self._unavailable(raw, Wrong(INTERNAL, "", reason, "store_away"))
            except Exception as error:
                log.exception("internal_error")
                reason = f"an unexpected {type(error).__name__}: nothing was done; our log has it"
                return self._unavailable(raw, Wrong(INTERNAL, "", reason, "internal_error"))
            if reply.wrong is not None:
                code, wrong = await connection.keep(raw, reply.wrong, len(raw), answerable(raw))
                if wrong is not reply.wrong:  # it could not be kept, so it is to be sent again
                    return self._listener.answers.answer(answerable(raw), code, wrong=wrong)
            else:
                self._listener.accepted += 1
            return framed(reply.body)

    async def _asked(self, connection: Connection, raw: bytes) -> Reply:
        if is_batch(raw):
            reason = "this endpoint answers each message by itself: send messages one by one"
            raise HL7Error("batch", reason, SEGMENT_SEQUENCE, "BHS")
        sender = connection.sender
        check = None if sender is None else partial(self._subjects.check, sender)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._manager.answer, raw, check)

    async def _refused(self, connection: Connection, raw: bytes, wrong: Wrong) -> bytes:
        code, wrong = await connection.keep(raw, wrong, len(raw), answerable(raw))
        return self._listener.answers.answer(answerable(raw), code, wrong=wrong)

    def _unavailable(self, raw: bytes, wrong: Wrong) -> bytes:
        self._listener.unavailable += 1
        return self._listener.answers.answer(answerable(raw), Code.ERROR, wrong=wrong)
