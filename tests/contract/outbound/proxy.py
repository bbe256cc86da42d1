"""A line between us and a database that swallows the commit, or is cut at it."""

from __future__ import annotations

import asyncio
import re
from typing import Self

from tests.contract.outbound.harness import How

COMMIT = re.compile(rb"\bCOMMIT\b")
"""Not the level READ COMMITTED; a driver commits of itself when it connects."""


class Proxy:
    """Forwards TCP; what is not encrypted it can read."""

    def __init__(self, port: int) -> None:
        self.how = How.TAKES
        self.port = 0
        self._to = port
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.down()

    async def down(self) -> None:
        """Cut everything."""
        self._server.close()
        self._cut()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=10)
        await self._server.wait_closed()

    def _cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._to)
        self._writers += [writer, back]
        for task in (
            asyncio.create_task(self._forward(reader, back, watched=True)),
            asyncio.create_task(self._forward(there, writer)),
        ):
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _forward(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, watched: bool = False
    ) -> None:
        wrote = False
        try:
            while data := await reader.read(65536):
                wrote = wrote or (watched and b"INSERT" in data)
                if wrote and COMMIT.search(data) and self.how is How.SILENT:
                    continue
                if wrote and COMMIT.search(data) and self.how is How.CLOSES:
                    self._cut()
                    return
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass  # cut, as told
        finally:
            writer.close()
