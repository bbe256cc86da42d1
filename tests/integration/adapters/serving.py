"""A real uvicorn on loopback with a real inbox, for adapters that speak HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp

from adapters.credentials import Basic, Credentials
from bus.inbox import Inbox
from tests.serving import served

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
    with served(app) as origin:
        yield f"http://{origin}"
