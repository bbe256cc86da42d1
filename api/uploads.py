"""The upload interfaces of the HTTP adapters, under this application's sign-in and over its inbox."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from adapters.counted import Counted
from adapters.credentials import Authenticate, Basic, Credentials
from adapters.rest.server import create_router
from adapters.soap.server import create_app as create_soap
from adapters.uploads import UploadSettings
from api.platform import Platform
from bus.envelope import Arrival, Receipt, Refusal
from bus.inbox import Inbox
from consortium.access import audit, policy, sign_in
from consortium.access.errors import LockedOutError, NotSignedInError
from consortium.access.model import USUAL_PURPOSE, Action, Resource, User
from consortium.errors import RetryableError

PEER = "upload"
"""What failed sign-ins of programs are counted under: the adapters do not pass the address on."""


class Doorway:
    """The inbox as the adapters see it: there while the application runs, and to be tried again otherwise."""

    def __init__(self) -> None:
        self.inbox: Inbox | None = None
        self.rest, self.soap = Counted(self), Counted(self)

    def detail(self) -> dict[str, dict[str, int]]:
        """Return what the heartbeat shows of each adapter."""
        return {"rest": self.rest.detail(), "soap": self.soap.detail()}

    async def accept(self, arrival: Arrival) -> Receipt:
        """Store and return after the commit. Raises RetryableError."""
        return await self._open().accept(arrival)

    async def refuse(self, refusal: Refusal) -> int:
        """Keep what was not accepted. Raises RetryableError."""
        return await self._open().refuse(refusal)

    def _open(self) -> Inbox:
        if self.inbox is None:
            raise RetryableError("the inbox is not open; send the same again")
        return self.inbox


def authenticator(parts: Platform) -> Authenticate:
    """Return the sign-in of system accounts: Basic, or a bearer token; None for who may not upload."""

    async def authenticate(credentials: Credentials) -> str | None:
        return await run_in_threadpool(_campus, parts, credentials)

    return authenticate


def _campus(parts: Platform, credentials: Credentials) -> str | None:
    request_id = uuid.uuid4().hex
    try:
        user = _signed_in(parts, credentials, request_id)
    except (NotSignedInError, LockedOutError):
        return None
    purpose = USUAL_PURPOSE[user.role]
    decision = policy.decide(user, Action.UPLOAD, Resource(organisation=user.organisation), purpose)
    if decision.allow:
        return user.organisation
    refused = audit.entry(
        user, Action.UPLOAD, purpose, "upload", "refused", decision.reason, request_id=request_id
    )
    with parts.statements.connect() as connection:
        audit.append(connection, refused)
    return None


def _signed_in(parts: Platform, credentials: Credentials, request_id: str) -> User:
    """Return whose credentials these are. Raises NotSignedInError, LockedOutError."""
    if isinstance(credentials, Basic):
        return parts.remembered.by_password(
            parts.engine, credentials.user, credentials.password, PEER, request_id, parts.now()
        )
    return sign_in.by_token(parts.statements, credentials.token, parts.settings.token_key)


def mount(app: FastAPI, parts: Platform, doorway: Doorway) -> None:
    """Add the REST uploads and the SOAP interfaces."""
    settings, authenticate = parts.settings, authenticator(parts)
    app.include_router(create_router(doorway.rest, UploadSettings.of(settings), authenticate))
    app.mount("/soap", create_soap(doorway.soap, UploadSettings.of(settings), authenticate))


@asynccontextmanager
async def opened(parts: Platform, doorway: Doorway) -> AsyncIterator[None]:
    """Keep the inbox open; what waits at the end is stored."""
    settings = parts.settings
    window = timedelta(days=settings.dedupe_days)
    async with Inbox(settings.database_url, settings.routing_key, window=window) as inbox:
        doorway.inbox = inbox
        try:
            yield
        finally:
            doorway.inbox = None
