"""A line between gateway and hub that can be bad."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from tests.fault.servers import port


class Proxy:
    """Passes bytes on, or not."""

    def __init__(self, to: int) -> None:
        self.port = port()
        self._to = to
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self.connections = 0
        self.swallow_answers = False
        """Whether what the hub says is lost, once the TLS handshake is done."""
        self.black_hole = False
        """Whether connections are taken and nothing of them is passed on."""
        self.swallowed = 0

    async def up(self) -> None:
        """Take connections."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def down(self) -> None:
        """Take none, and cut those that there are."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.cut()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def cut(self) -> None:
        """Cut the connections that there are."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            with suppress(OSError):
                await self._pass(reader, writer)
        finally:
            self._tasks.discard(task)
            self._writers.discard(writer)
            writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.black_hole:
            while await reader.read(65536):
                pass
            return
        there, back = await asyncio.open_connection("127.0.0.1", self._to)
        self._writers.add(back)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, back, answers=False))
                group.create_task(self._pump(there, writer, answers=True))
        except* OSError:
            pass
        finally:
            self._writers.discard(back)
            back.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, answers: bool) -> None:
        while data := await source.read(65536):
            if answers and self.swallow_answers:
                self.swallowed += 1
                continue
            if self.black_hole:
                continue
            sink.write(data)
            await sink.drain()
        sink.transport.abort()


@asynccontextmanager
async def proxied(to: int) -> AsyncIterator[Proxy]:
    """Stand between a gateway and a port; up at the beginning."""
    proxy = Proxy(to)
    await proxy.up()
    try:
        yield proxy
    finally:
        await proxy.down()
