"""A real uvicorn on loopback with a real inbox, for adapters that speak HTTP."""

from __future__ import annotations

import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp

from adapters.credentials import Basic, Credentials
from api.serving import OPTIONS
from bus.inbox import Inbox

ACCOUNTS = {("system.huangpu", "right"): "HP", ("system.main", "right"): "MAIN"}


async def authenticate(credentials: Credentials) -> str | None:
    """Know two system accounts by password, and one token."""
    if isinstance(credentials, Basic):
        return ACCOUNTS.get((credentials.user, credentials.password))
    return "HP" if credentials.token == "good-token" else None


@contextmanager
def serving(database_url: str, make: Callable[[Inbox], ASGIApp], at: str = "") -> Iterator[str]:
    """Serve an application that ends in an inbox; give its origin. `at` is where it is mounted."""
    inbox = Inbox(database_url, "key", patience=0.2)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with inbox:
            yield

    app = Starlette(routes=[Mount(at, app=make(inbox))], lifespan=lifespan)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, **OPTIONS)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            _wait_until_started(server, thread)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(20)


def _wait_until_started(server: uvicorn.Server, thread: threading.Thread) -> None:
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError("uvicorn ended before it served")
        thread.join(0.01)
