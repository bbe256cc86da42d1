"""How connections come in: plain ones at once, those with TLS after their handshake."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog

from adapters.tls import why

log = structlog.get_logger("adapters.mllp")

BACKLOG = 512
KEEP_ALIVE = (60, 15, 4)
"""Seconds of silence before the first probe, between two, and how many unanswered end the connection."""

Make = Callable[[], asyncio.Protocol]


class Entrance(Protocol):
    """A listening socket."""

    @property
    def port(self) -> int:
        """The port it listens on."""
        ...

    async def close(self) -> None:
        """Accept nothing more."""
        ...


def keep_alive(transport: asyncio.BaseTransport) -> None:
    """Let the kernel find out that a silent peer is gone (RFC 9293 §3.8.4)."""
    peer = transport.get_extra_info("socket")
    if peer is None or peer.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    names = ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT")
    for name, value in zip(names, KEEP_ALIVE, strict=True):
        if hasattr(socket, name):
            peer.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


class PlainEntrance:
    """Takes every connection as it is."""

    def __init__(self, server: asyncio.Server) -> None:
        self._server = server

    @classmethod
    async def open(cls, host: str, port: int, make: Make) -> PlainEntrance:
        """Listen. Raises OSError when the port is taken."""
        return cls(await asyncio.get_running_loop().create_server(make, host, port, backlog=BACKLOG))

    @property
    def port(self) -> int:
        """The port it listens on."""
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def close(self) -> None:
        """Accept nothing more."""
        self._server.close()


Failed = Callable[[str, str, str], Awaitable[None]]
"""Told of a handshake that failed: the peer, a code, and why."""


class TlsEntrance:
    """Takes a connection once both sides know each other. What fails before that is told, not swallowed."""

    def __init__(
        self, listening: socket.socket, make: Make, context: ssl.SSLContext, seconds: float, most: int
    ) -> None:
        """`seconds`: how long a handshake may take; `most`: how many may be under way."""
        self._listening = listening
        self._make = make
        self._context = context
        self._seconds = seconds
        self._room = asyncio.Semaphore(most)
        self._greeting: dict[asyncio.Task[None], socket.socket] = {}
        self._accepting: asyncio.Task[None] | None = None
        self._failed: Failed | None = None

    @classmethod
    async def open(
        cls, host: str, port: int, make: Make, context: ssl.SSLContext, *, seconds: float, most: int
    ) -> TlsEntrance:
        """Listen. Raises OSError when the port is taken."""
        loop = asyncio.get_running_loop()
        [(family, kind, protocol, _, address), *_] = await loop.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        listening = socket.socket(family, kind, protocol)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.setblocking(False)
            listening.bind(address)
            listening.listen(BACKLOG)
        except OSError:
            listening.close()
            raise
        return cls(listening, make, context, seconds, most)

    def begin(self, failed: Failed) -> None:
        """Accept from now on."""
        self._failed = failed
        self._accepting = asyncio.create_task(self._accept(), name="mllp tls")

    @property
    def port(self) -> int:
        """The port it listens on."""
        port: int = self._listening.getsockname()[1]
        return port

    async def close(self) -> None:
        """Accept nothing more; give up handshakes that are not done."""
        tasks = [task for task in (self._accepting, *self._greeting) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._listening.close()

    async def _accept(self) -> None:
        while True:
            await self._room.acquire()
            try:
                peer, address = await self._next()
            except OSError as error:  # out of descriptors, or a peer that is gone: the next may do better
                self._room.release()
                log.warning("accept_failed", error=type(error).__name__)
                await asyncio.sleep(0.1)
                continue
            except BaseException:
                self._room.release()
                raise
            task = asyncio.create_task(self._greet(peer, f"{address[0]}:{address[1]}"))
            self._greeting[task] = peer
            task.add_done_callback(self._greeted)

    async def _next(self) -> tuple[socket.socket, tuple[str, int]]:
        """Accept one. The loop's own `sock_accept`, cancelled just as one came in, leaves that one open."""
        while True:
            try:
                peer, address = self._listening.accept()
            except BlockingIOError:
                await _readable(self._listening)
            else:
                peer.setblocking(False)
                return peer, address

    def _greeted(self, task: asyncio.Task[None]) -> None:
        peer = self._greeting.pop(task)
        if task.cancelled():  # perhaps before it began, so that nobody has the socket yet
            peer.close()
        self._room.release()

    async def _greet(self, peer: socket.socket, name: str) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(
                self._make, peer, ssl=self._context, ssl_handshake_timeout=self._seconds
            )
        except ssl.SSLError as error:
            await self._tell(name, "tls", why(error))
        except ConnectionAbortedError:
            await self._tell(name, "tls", f"the TLS handshake took longer than {self._seconds:.0f} s")
        except OSError as error:  # who looks whether the port is open, and leaves
            log.debug("no_handshake", error=type(error).__name__)

    async def _tell(self, peer: str, code: str, reason: str) -> None:
        if self._failed is not None:
            await self._failed(peer, code, reason)


async def _readable(listening: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(listening, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(listening)
