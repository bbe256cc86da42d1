"""How much a request may carry."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.failures import Failure, FailureError, response

ORDINARY = 1024 * 1024
"""Bytes; what a JSON request of this API may need."""
RULE_SETS = 24 * 1024 * 1024
"""Bytes; a whole rule set as JSON."""


class BodyLimit:
    """ASGI middleware that refuses with 413: by the declared length, and by what really arrives."""

    def __init__(self, app: ASGIApp, limit: Callable[[str], int | None]) -> None:
        """`limit`: the most bytes for a path; None: another part of the application looks after it."""
        self.app = app
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        most = self.limit(scope["path"])
        if most is None:
            await self.app(scope, receive, send)
            return
        failure = Failure(413, "too-large", f"the body is larger than the {most} bytes allowed here")
        declared = Request(scope).headers.get("content-length", "0")
        if not declared.isdigit() or int(declared) > most:
            await response(Request(scope), failure)(scope, receive, send)
            return
        await self.app(scope, _counted(receive, most, failure), send)


def _counted(receive: Receive, most: int, failure: Failure) -> Receive:
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > most:
            raise FailureError(failure)
        return message

    return counted
