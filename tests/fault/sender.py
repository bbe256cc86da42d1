"""A hospital that sends over MLLP and sends again whatever was not acknowledged."""

from __future__ import annotations

import asyncio
import random
import threading
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType
from typing import Self

from tests.fault.traffic import Message, Traffic

ANSWER_SECONDS = 10.0
RECONNECT_SECONDS = 0.2
END = b"\x1c\r"


class _Line:
    """One connection to the listener, opened anew whenever it breaks."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, frame: bytes) -> bytes:
        """Send a frame and return the answer; raises `OSError`, `EOFError` or `TimeoutError`."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(frame)
        async with asyncio.timeout(ANSWER_SECONDS):
            await writer.drain()
            return await reader.readuntil(END)

    def drop(self) -> None:
        """Let go of the connection."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


class Sender:
    """Sends traffic from a thread of its own, at most as far as it is let."""

    def __init__(self, port: int, traffic: Traffic, *, seed: int, lose: float = 0.03) -> None:
        """`lose`: share of acknowledgements that get lost on their way; their messages are sent again."""
        self._port = port
        self._traffic = traffic
        self._random = random.Random(seed)
        self._lose = lose
        self._gate = asyncio.Semaphore(0)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="sender", daemon=True)
        self._failure: BaseException | None = None
        self.released = 0
        self.acknowledged: set[str] = set()
        """Control ids that were answered AA."""
        self.refused: dict[str, bytes] = {}
        """Control ids that were answered AR, and the answer; none is expected."""
        self.outstanding: set[str] = set()
        """Control ids whose frame is out and not answered."""
        self.counts: Counter[str] = Counter()
        """sent, resent, broken (connections), put_off (AE), ack_lost."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(RuntimeError):  # the loop has ended by itself
            self._loop.call_soon_threadsafe(self._cancel)
        self._thread.join(timeout=20)

    def release(self, count: int) -> None:
        """Let `count` more messages go, or as many as are left."""
        count = min(count, len(self._traffic.messages) - self.released)
        if count <= 0:
            return
        self.released += count
        self._loop.call_soon_threadsafe(self._open, count)

    def release_all(self) -> None:
        """Let everything go that is left."""
        self.release(len(self._traffic.messages) - self.released)

    @property
    def settled(self) -> bool:
        """Whether everything released is answered for good."""
        if self._failure is not None:
            raise RuntimeError("the sender failed") from self._failure
        return len(self.acknowledged) + len(self.refused) >= self.released

    def _open(self, count: int) -> None:
        for _ in range(count):
            self._gate.release()

    def _cancel(self) -> None:
        for task in asyncio.all_tasks(self._loop):
            task.cancel()

    def _run(self) -> None:
        try:
            with suppress(asyncio.CancelledError):
                self._loop.run_until_complete(self._send_all())
        except BaseException as error:
            self._failure = error
            raise
        finally:
            self._loop.close()

    async def _send_all(self) -> None:
        async with asyncio.TaskGroup() as group:
            for plan in self._traffic.connections:
                group.create_task(self._send(plan))

    async def _send(self, plan: Iterable[Message]) -> None:
        line = _Line(self._port)
        try:
            for message in plan:
                await self._gate.acquire()
                await self._until_answered(line, message)
        finally:
            line.drop()

    async def _until_answered(self, line: _Line, message: Message) -> None:
        loses = self._random.random() < self._lose
        attempt = 0
        while not await self._once(line, message, attempt, lose=loses and attempt == 0):
            attempt += 1
            self.counts["resent"] += 1
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _once(self, line: _Line, message: Message, attempt: int, *, lose: bool) -> bool:
        """Send it once; True when it is answered for good."""
        self.counts["sent"] += 1
        self.outstanding.add(message.control_id)
        try:
            answer = await line.ask(message.frame(attempt))
        except (OSError, EOFError, TimeoutError):
            self.counts["broken"] += 1
            line.drop()
            return False
        finally:
            self.outstanding.discard(message.control_id)
        if lose:
            self.counts["ack_lost"] += 1
            line.drop()
            return False
        return self._judge(message, answer)

    def _judge(self, message: Message, answer: bytes) -> bool:
        if f"MSA|AA|{message.control_id}".encode() in answer:
            self.acknowledged.add(message.control_id)
            return True
        if b"MSA|AE|" in answer:
            self.counts["put_off"] += 1
            return False
        self.refused[message.control_id] = answer
        return True
