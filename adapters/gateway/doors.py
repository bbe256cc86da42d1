"""The ways into the front machine: the very listeners of the hub, over the spool.

Here alone, beside `api`, the adapters meet; nothing but the agent imports this.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

from fastapi import FastAPI

from adapters.counted import Counted
from adapters.credentials import Basic, Credentials
from adapters.gateway.inbox import SpoolInbox
from adapters.gateway.serving import serving
from adapters.gateway.settings import Account, GatewaySettings, HttpDoor
from adapters.mllp.server import Listener
from adapters.mllp.settings import MllpSettings
from adapters.rest.server import create_router
from adapters.soap.server import create_app as create_soap
from adapters.tls import Tls, server_context
from adapters.uploads import UploadSettings
from consortium.access.passwords import matches
from consortium.errors import PermanentError

REMEMBERED = 1000
"""Passwords that were right, at most."""


class Doors:
    """What is open, and what each has counted."""

    def __init__(self) -> None:
        self.listeners: list[Listener] = []
        self.http: dict[str, Counted] = {}
        self.others: list[Callable[[], dict[str, dict[str, int | str]]]] = []
        """What tells of ways in that are not listeners."""
        self.addresses: dict[str, str] = {}
        """host:port by door."""

    def detail(self) -> dict[str, dict[str, int | str]]:
        """Return the counts since the start by door."""
        counts: dict[str, Mapping[str, int]] = {
            listener.settings.endpoint: listener.detail() for listener in self.listeners
        }
        counts |= {name: counted.detail() for name, counted in self.http.items()}
        found = {name: dict[str, int | str](detail) for name, detail in counts.items()}
        for other in self.others:
            found |= other()
        return found


@asynccontextmanager
async def opened(settings: GatewaySettings, inbox: SpoolInbox, doors: Doors) -> AsyncIterator[None]:
    """Open every door; close them, with what is in flight answered, at the end. Raises PermanentError."""
    try:
        for told in _mllp(settings):
            listener = Listener(told, inbox)
            await _listening(listener)
            doors.listeners.append(listener)
            doors.addresses[told.endpoint] = f"{told.host}:{listener.port}"
        if settings.http is None:
            yield
        else:
            async with _http(settings, settings.http, inbox, doors):
                yield
    finally:
        await asyncio.gather(*(listener.stop() for listener in doors.listeners))


def _mllp(settings: GatewaySettings) -> list[MllpSettings]:
    bounds = settings.spool.bounds
    usual = MllpSettings("127.0.0.1", 0, settings.campuses, settings.body_limit, window=bounds.window)
    return [usual.at(endpoint) for endpoint in settings.mllp]


async def _listening(listener: Listener) -> None:
    told = listener.settings
    try:
        await listener.start()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise PermanentError(
            f"mllp {told.endpoint}: cannot listen at {told.host}:{told.port}: {reason}"
        ) from error


@asynccontextmanager
async def _http(
    settings: GatewaySettings, door: HttpDoor, inbox: SpoolInbox, doors: Doors
) -> AsyncIterator[None]:
    doors.http = {"rest": Counted(inbox), "soap": Counted(inbox)}
    tls = server_context(Tls(door.certificate, door.key)) if door.certificate and door.key else None
    app = _application(settings, doors.http)
    async with serving(app, door.host, door.port, name="http", context=tls) as port:
        doors.addresses["http"] = f"{door.host}:{port}"
        yield


def _application(settings: GatewaySettings, counted: Mapping[str, Counted]) -> FastAPI:
    campuses, limit = frozenset(settings.campuses), settings.body_limit
    authenticate = Passwords(settings.accounts).authenticate
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.include_router(create_router(counted["rest"], UploadSettings(campuses, limit), authenticate))
    app.mount("/soap", create_soap(counted["soap"], UploadSettings(campuses, limit), authenticate))
    return app


class Passwords:
    """The accounts of this machine. argon2id is slow on purpose, so a password that was right is remembered
    as a keyed hash, for as long as the process lives.
    """

    def __init__(self, accounts: Sequence[Account]) -> None:
        self._accounts = {account.user: account for account in accounts}
        self._key = secrets.token_bytes(32)
        self._right: set[bytes] = set()

    async def authenticate(self, credentials: Credentials) -> str | None:
        """Return the campus that an account uploads for; None: the credentials are not good."""
        if not isinstance(credentials, Basic):
            return None
        account = self._accounts.get(credentials.user)
        digest = hashlib.blake2b(
            f"{credentials.user}\0{credentials.password}".encode(), key=self._key
        ).digest()
        if digest not in self._right:
            encoded = account.password_hash if account else None
            if not await asyncio.to_thread(matches, encoded, credentials.password):
                return None
            if len(self._right) >= REMEMBERED:
                self._right.clear()
            self._right.add(digest)
        return account.campus if account else None
