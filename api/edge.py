"""The outermost layer: request ids, security headers, one log line a request, no traceback for callers."""

from __future__ import annotations

import re
import time
import uuid

import structlog
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.failures import Failure, response

REQUEST_ID = "X-Request-Id"
_SOUND_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

STRICT_CSP = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
"""For answers that are data: a browser that shows one runs nothing in it."""

HEADERS = {
    "Content-Security-Policy": STRICT_CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}

log = structlog.get_logger("api")


class Edge:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        exchange = _Exchange(scope, send)
        try:
            await self.app(scope, receive, exchange.send)
        except Exception as error:
            exchange.failed(error)
            if exchange.status:  # the answer has begun: closing the connection is all that is left
                raise
            failure = Failure(500, "internal", "the server failed; give the request id to those who run it")
            await response(Request(scope), failure)(scope, receive, exchange.send)
        finally:
            exchange.ended()


class _Exchange:
    """One request and what is known of its answer."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self._began = time.perf_counter()
        self.status = 0
        given = Request(scope).headers.get(REQUEST_ID, "")
        self.id = given if _SOUND_ID.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = self.id

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers[REQUEST_ID] = self.id
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await self._send(message)

    def failed(self, error: Exception) -> None:
        """Say what failed and where; `bus.logging` leaves out the error's text, which may name a patient."""
        log.error("request_failed", trace_id=self.id, exc_info=error)

    def ended(self) -> None:
        """Write the log line: the route's pattern, not the path, which may name a patient."""
        route = self._scope.get("route")
        log.info(
            "request",
            trace_id=self.id,
            method=self._scope["method"],
            route=getattr(route, "path", None) or "unmatched",
            status=self.status,
            seconds=round(time.perf_counter() - self._began, 4),
        )
