"""One connection to a receiver: frames out, frames in. Delivery and the client both send by it."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import deque
from time import monotonic

from adapters.mllp.entrance import keep_alive
from adapters.mllp.framing import Broken, Deframer, framed


class Wire:
    """One connection. A message that was not answered in time ends it, so that no late answer is met."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limit: int) -> None:
        """`limit`: largest answer, bytes."""
        self.used = monotonic()
        """When it was made, or last marked as used; seconds of `time.monotonic`."""
        self._reader, self._writer = reader, writer
        self._deframer = Deframer(limit, limit)
        self._frames: deque[bytes | Broken] = deque()
        keep_alive(writer.transport)

    @classmethod
    async def open(
        cls,
        host: str,
        port: int,
        limit: int,
        *,
        tls: ssl.SSLContext | None = None,
        server_name: str | None = None,
    ) -> Wire:
        """Connect. Raises OSError, ssl.SSLError among them."""
        reader, writer = await asyncio.open_connection(host, port, ssl=tls, server_hostname=server_name)
        return cls(reader, writer, limit)

    @property
    def alive(self) -> bool:
        """Whether the receiver has not closed it, as far as is known."""
        return not self._reader.at_eof() and not self._writer.is_closing()

    async def write(self, message: bytes) -> None:
        """Send one message in its frame."""
        self._writer.write(framed(message))
        await self._writer.drain()

    async def frame(self) -> bytes | Broken:
        """Return the next frame. Raises ConnectionError when there is no more."""
        while not self._frames:
            data = await self._reader.read(65536)
            if not data:
                raise ConnectionResetError("the receiver closed the connection")
            self._frames.extend(self._deframer.feed(data))
        return self._frames.popleft()

    def drop(self) -> None:
        """Close it at once: nothing that comes on it is read any more."""
        self._writer.transport.abort()

    async def close(self) -> None:
        """Close it in order, TLS included."""
        self._writer.close()
        with contextlib.suppress(OSError):  # closing a connection that is already broken is closing it
            await self._writer.wait_closed()
