"""The hub's side of the line: `POST /gateway/v1/batch`, answered after the commit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import msgspec
import sqlalchemy as sa
import structlog
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from adapters.credentials import parse
from adapters.gateway.callers import Callers
from adapters.gateway.codec import PATH, ROOM, Answer, Denial, Received, Status, read
from adapters.gateway.decide import GapError, HistoryError
from adapters.gateway.handshake import CERTIFICATE
from adapters.gateway.ledger import ForeignCampusError, Ledger, Speaker
from bus.envelope import Refusal
from consortium.errors import PermanentError, SecurityError

READ_SECONDS = 60.0
"""How long a batch may take to arrive."""

log = structlog.get_logger("adapters.gateway")


class DeniedError(Exception):
    """A request that is not taken."""

    def __init__(self, status: int, denial: Denial) -> None:
        super().__init__(denial.detail)
        self.status = status
        self.denial = denial


class Hub:
    """Takes batches of every gateway."""

    def __init__(
        self, ledger: Ledger, callers: Callers, body_limit: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`body_limit`: largest message, bytes. `clock`: seconds, steady."""
        self._ledger = ledger
        self._callers = callers
        self._limit = body_limit + ROOM
        self._clock = clock
        self._seen: dict[str, tuple[float, Status]] = {}
        self._accepted = self._denied = self._unavailable = 0
        self._keeping: set[asyncio.Future[None]] = set()

    def detail(self) -> dict[str, Any]:
        """Return what the heartbeat shows: counts since the start, and each gateway that called."""
        now = self._clock()
        seen = {
            name: {"seen_seconds_ago": round(now - at), "spooled": status.spooled, "full": status.full}
            for name, (at, status) in sorted(self._seen.items())
        }
        counts = {"accepted": self._accepted, "refused": self._denied, "unavailable": self._unavailable}
        return {"gateways": len(seen), **counts, **seen}

    def application(self) -> Starlette:
        """Return the ASGI application."""
        return Starlette(routes=[Route(PATH, self.batch, methods=["POST"])])

    async def batch(self, request: Request) -> Response:
        """Take one batch."""
        try:
            body = await self._body(request)
            answer = await run_in_threadpool(self._take, body, request)
        except DeniedError as error:
            if error.status == 503:
                self._unavailable += 1
            else:
                self._denied += 1
            log.warning(
                "batch_denied", code=error.denial.code, reason=error.denial.detail, peer=_peer(request)
            )
            return _json(error.status, error.denial)
        return _json(200, answer)

    async def _body(self, request: Request) -> bytes:
        body = bytearray()
        try:
            async with asyncio.timeout(READ_SECONDS):
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > self._limit:
                        raise _denied(413, "too_large", f"a batch may have {self._limit} bytes")
        except (TimeoutError, ClientDisconnect):
            raise _denied(408, "unavailable", "the batch did not arrive whole: send it again") from None
        return bytes(body)

    def no_handshake(self, peer: str, reason: str) -> None:
        """Keep a handshake that failed among the refusals: its gateway may not have understood."""
        self._denied += 1
        log.warning("no_handshake", peer=peer, reason=reason)
        task = asyncio.ensure_future(run_in_threadpool(self._keep, peer, reason))
        self._keeping.add(task)
        task.add_done_callback(self._keeping.discard)

    def _keep(self, peer: str, reason: str) -> None:
        try:
            self._ledger.refuse(Refusal("gateway", "gateway", peer, "tls", reason, b"", 0))
        except sa.exc.SQLAlchemyError as error:
            log.warning("refusal_not_recorded", code="tls", error=type(error).__name__)

    def _take(self, body: bytes, request: Request) -> Answer:
        try:
            batch = read(body, self._limit)
        except PermanentError as error:
            raise _denied(400, "malformed", str(error)) from error
        try:
            return self._commit(self._speaker(batch, request), batch)
        except sa.exc.SQLAlchemyError as error:
            log.warning("not_committed", error=type(error).__name__)
            detail = "the platform cannot store now: the batch is to be sent again"
            raise _denied(503, "unavailable", detail) from error

    def _speaker(self, batch: Received, request: Request) -> Speaker:
        certificate = request.scope.get("extensions", {}).get(CERTIFICATE, {}).get("der")
        credentials = parse(request.headers.get("authorization"))
        try:
            return self._callers.known(batch.gateway, certificate, credentials, _peer(request))
        except SecurityError as error:
            raise _denied(401, "unauthenticated", str(error)) from error

    def _commit(self, speaker: Speaker, batch: Received) -> Answer:
        self._seen[speaker.name] = (self._clock(), batch.status)
        try:
            position = self._ledger.take(speaker, batch)
        except GapError as error:
            self._ledger.see(speaker, batch.status)
            detail = f"entry {error.expected} must come next, and the batch begins behind it"
            raise DeniedError(409, Denial("gap", detail, error.expected)) from error
        except HistoryError as error:
            self._ledger.see(speaker, batch.status)
            detail = "the hub has other entries under these numbers: the spool is an older copy"
            raise _denied(409, "other_history", detail) from error
        except ForeignCampusError as error:
            self._ledger.see(speaker, batch.status)
            self._callers.refuse(speaker, error.facility)
            allowed = ", ".join(sorted(speaker.campuses))
            detail = f"the gateway {speaker.name} may speak for {allowed} alone; add the campus at the hub"
            raise _denied(403, "wrong_campus", detail) from error
        self._accepted += len(batch.entries)
        return Answer(position.seq, position.mark, sorted(speaker.campuses))


def _denied(status: int, code: str, detail: str) -> DeniedError:
    return DeniedError(status, Denial(code, detail))


def _json(status: int, value: Answer | Denial) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def _peer(request: Request) -> str:
    return request.client.host if request.client else ""
