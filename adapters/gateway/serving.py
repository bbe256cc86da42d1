"""uvicorn inside an event loop that has other work, too: of the agent's uploads, and of the hub."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator

import structlog
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from consortium.errors import PermanentError

GRACE = 5
"""Seconds that running requests get at the end."""

log = structlog.get_logger("adapters.gateway")


class _Server(uvicorn.Server):
    """Leaves the signals to the process, and says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen."""
        await super().startup(sockets)
        self.ready.set()


@contextlib.asynccontextmanager
async def serving(
    app: ASGIApp,
    host: str,
    port: int,
    *,
    name: str,
    context: ssl.SSLContext | None = None,
    wrap: Callable[..., asyncio.BaseProtocol] | None = None,
    keep_alive: int = 30,
) -> AsyncIterator[int]:
    """Serve inside the block; give the port. `keep_alive`: seconds that a connection may be silent. `wrap`
    makes the protocol of a connection in place of uvicorn's own, of which it is given the arguments.

    Raises PermanentError when it cannot listen there.
    """
    config = uvicorn.Config(
        app,
        http=H11Protocol,  # httptools loses the body of a request that offers HTTP/2, as Java's client does
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=GRACE,
        timeout_keep_alive=keep_alive,
    )
    config.load()
    config.ssl = context
    if wrap is not None:
        config.http_protocol_class = wrap  # type: ignore[assignment] # uvicorn calls it, and no more
    server = _Server(config)
    with _bound(host, port, name) as listening:
        task = asyncio.create_task(server.serve([listening]), name=name)
        ready = asyncio.create_task(server.ready.wait())
        await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            ready.cancel()
            await task
        number = int(listening.getsockname()[1])
        log.info(
            "listening",
            endpoint=name,
            host=host,
            port=number,
            protocol="https" if context or wrap else "http",
        )
        try:
            yield number
        finally:
            server.should_exit = True
            await task


@contextlib.contextmanager
def _bound(host: str, port: int, name: str) -> Iterator[socket.socket]:
    try:
        [(family, kind, protocol, _, address), *_] = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        listening = socket.socket(family, kind, protocol)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
        except OSError:
            listening.close()
            raise
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise PermanentError(f"{name}: cannot listen at {host}:{port}: {reason}") from error
    with listening:
        yield listening
