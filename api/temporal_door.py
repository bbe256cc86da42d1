"""The door through which the Temporal UI, a page of another origin, comes to the codec endpoint.

A person signs in at `/temporal` and gets a cookie that only these paths are sent, that no script reads, and
that is believed only where the request comes from the UI's own origin. Programs and the `temporal` command
send a bearer token as everywhere else.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Header, Request
from fastapi.security import HTTPAuthorizationCredentials
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from api.caller import Caller, Gate, bearer
from api.platform import Platform, platform
from consortium.access import sign_in, tokens
from consortium.access.errors import NotSignedInError
from runtime.settings import Settings

PREFIX = "/api/v1/temporal/codec"
COOKIE = "yilian_codec"


def ui_origin(settings: Settings) -> str:
    """Return the one origin that the UI's page comes from."""
    return settings.temporal_ui_origin or f"http://127.0.0.1:{settings.temporal_ui_port}"


class UiDoor:
    """ASGI middleware: cross-origin requests (Fetch, CORS protocol) of the UI's origin, at these paths."""

    def __init__(self, app: ASGIApp, origin: str) -> None:
        """Let in pages of that origin."""
        self.app = app
        self.cors = CORSMiddleware(
            app,
            allow_origins=[origin],
            allow_methods=["POST"],
            allow_headers=["Authorization", "Authorization-Extras", "Content-Type", "X-Namespace"],
            allow_credentials=True,
            expose_headers=["Retry-After", "X-Request-Id"],
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        cross = scope["type"] == "http" and scope["path"].startswith(PREFIX + "/")
        await (self.cors if cross else self.app)(scope, receive, send)


class CodecGate(Gate):
    """Lets in by bearer token, or by the cookie of who signed in for the UI."""

    def __call__(
        self,
        request: Request,
        parts: Annotated[Platform, Depends(platform)],
        credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
        stated: Annotated[str | None, Header(alias="X-Purpose-Of-Use")] = None,
    ) -> Caller:
        """Return the caller. Raises NotSignedInError, ForbiddenError."""
        cookie = request.cookies.get(COOKIE)
        if credentials is not None or cookie is None:
            return super().__call__(request, parts, credentials, stated)
        if request.headers.get("origin") != ui_origin(parts.settings):
            raise NotSignedInError("this sign-in counts for the Temporal UI alone; send a bearer token")
        user = sign_in.by_token(parts.statements, cookie, parts.settings.token_key, tokens.CODEC)
        return self.admit(request, parts, user, stated)
