"""The REST uploads: one route for each data type, included by `api` in its application."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Annotated, Literal, Protocol

import structlog
from fastapi import APIRouter, Path
from pydantic import BaseModel, Field
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from adapters import via
from adapters.credentials import Authenticate, parse
from adapters.rest import codec, openapi, problem
from adapters.rest.models import DOCUMENT, UPLOADS
from adapters.rest.problem import Problem, ProblemError
from adapters.uploads import UploadSettings
from bus.envelope import Arrival, Receipt, Refusal
from consortium.errors import PermanentError, RetryableError

NUMBER_LIMIT = 100
"""Longest Idempotency-Key and X-Sending-System, characters."""

LARGE = 256 * 1024
"""Bytes from which checking a document leaves the event loop for a thread."""
XML_TYPES = ("application/xml", "text/xml", "application/hl7-v3+xml")

log = structlog.get_logger("adapters.rest")


class Inbox(Protocol):
    """What this adapter needs of `bus.inbox.Inbox`."""

    async def accept(self, arrival: Arrival) -> Receipt:
        """Store and return after the commit."""
        ...

    async def refuse(self, refusal: Refusal) -> int:
        """Keep what was not accepted; return its number."""
        ...


class Accepted(BaseModel):
    """Stored for good. What becomes of it is at `journey`."""

    id: int = Field(description="the id under which the platform keeps the message")
    outcome: Literal["stored", "duplicate", "conflict"] = Field(
        description="duplicate: known already, no second effect. conflict: this Idempotency-Key came before"
        " with other content; stored, and held for a person"
    )
    journey: str = Field(description="where to see what became of it", examples=["/api/v1/messages/4711"])


@dataclass(slots=True)
class _Seen:
    """What is known of a request so far: what a refusal can tell."""

    facility: str
    kind: str
    size: int = 0
    body: bytearray = field(default_factory=bytearray)
    control_id: str | None = None

    @property
    def endpoint(self) -> str:
        return f"/api/v1/upload/{self.facility}/{self.kind}"


class RestServer:
    """Answers the uploads of every kind."""

    def __init__(self, inbox: Inbox, settings: UploadSettings, authenticate: Authenticate) -> None:
        self._inbox = inbox
        self._settings = settings
        self._authenticate = authenticate

    async def upload(self, request: Request, facility: str, kind: str) -> Response:
        """Take one upload; every refusal is a problem, and is kept."""
        seen = _Seen(facility, kind)
        try:
            await self._admit(request, seen)
            await self._read_body(request, seen)
            if via.passed(request.headers.getlist("via"), self._settings.name):
                raise ProblemError(Problem(via.STATUS, via.CODE, "Loop detected", via.DETAIL))
            return await self._accept(_heading(request, seen), seen)
        except ProblemError as error:
            if error.problem.status < 500 or error.problem.code == via.CODE:
                await self._record(_refusal(error.problem, request, seen, self._settings.keep_limit))
            return problem.render(error.problem, request.url.path)

    async def _admit(self, request: Request, seen: _Seen) -> None:
        credentials = parse(request.headers.get("authorization"))
        campus = await self._authenticate(credentials) if credentials else None
        if campus is None:
            detail = "sign in with the Basic or Bearer credentials of your campus's system account"
            raise ProblemError(Problem(401, "unauthenticated", "Unauthorized", detail))
        if seen.facility not in self._settings.campuses:
            detail = "no campus of the consortium has this code; use your own in the address"
            raise ProblemError(Problem(404, "unknown_campus", "No such campus", detail))
        if seen.facility != campus:
            raise ProblemError(
                Problem(403, "wrong_campus", "Forbidden", f"this account uploads for {campus} alone")
            )
        if seen.kind not in (*UPLOADS, DOCUMENT):
            detail = f"there are: {', '.join((*UPLOADS, DOCUMENT))}"
            raise ProblemError(Problem(404, "unknown_type", "No such interface", detail))

    async def _read_body(self, request: Request, seen: _Seen) -> None:
        _check_content_type(request, seen.kind)
        limit = self._settings.body_limit
        declared = request.headers.get("content-length", "")
        seen.size = int(declared) if declared.isdecimal() else 0
        if seen.size > limit:
            raise _too_large(limit)
        try:
            async with asyncio.timeout(self._settings.read_seconds):
                async for chunk in request.stream():
                    seen.body += chunk
                    if len(seen.body) > limit:
                        raise _too_large(limit)
        except TimeoutError:
            detail = "the request did not arrive in time; send it again"
            raise ProblemError(Problem(408, "timeout", "Request timeout", detail)) from None
        except ClientDisconnect:
            detail = "the connection broke within the request"
            raise ProblemError(Problem(400, "disconnected", "Disconnected", detail)) from None
        seen.size = len(seen.body)

    async def _accept(self, heading: codec.Heading, seen: _Seen) -> Response:
        arrival = await _arrival(bytes(seen.body), heading)
        try:
            receipt = await self._inbox.accept(arrival)
        except RetryableError as error:
            log.warning("not_stored", endpoint=seen.endpoint, error=type(error).__name__)
            detail = "not stored: the platform cannot store now; send the same again"
            raise ProblemError(Problem(503, "unavailable", "Unavailable", detail)) from error
        except PermanentError as error:
            detail = "this message cannot be stored; report its Idempotency-Key to the platform's operators"
            raise ProblemError(Problem(422, "unstorable", "Unprocessable content", detail)) from error
        journey = f"/api/v1/messages/{receipt.id}"
        accepted = Accepted(id=receipt.id, outcome=receipt.outcome.value, journey=journey)
        return JSONResponse(accepted.model_dump(), 202, headers={"Location": journey})

    async def _record(self, refusal: Refusal) -> None:
        try:
            await self._inbox.refuse(refusal)
        except RetryableError as error:
            log.warning("refusal_not_recorded", code=refusal.code, error=type(error).__name__)


def create_router(inbox: Inbox, settings: UploadSettings, authenticate: Authenticate) -> APIRouter:
    """Return the router of `POST /api/v1/upload/{facility}/{kind}`; the prefix is in it."""
    server = RestServer(inbox, settings, authenticate)
    router = APIRouter(prefix="/api/v1/upload", tags=["upload"])
    summaries = {kind: (model.__doc__ or kind).rstrip(".") for kind, model in UPLOADS.items()}
    for kind, summary in {**summaries, DOCUMENT: openapi.DOCUMENT_SUMMARY}.items():
        router.add_api_route(
            f"/{{facility}}/{kind}",
            _endpoint(server, kind),
            methods=["POST"],
            name=f"upload_{kind}",
            operation_id=f"upload_{kind}",
            summary=summary,
            status_code=202,
            response_model=Accepted,
            responses=openapi.ANSWERS,
            openapi_extra=openapi.operation(kind),
        )
    router.add_api_route("/{facility}/{kind}", server.upload, methods=["POST"], include_in_schema=False)
    return router


def _endpoint(server: RestServer, kind: str) -> Callable[..., Awaitable[Response]]:
    async def upload(request: Request, facility: Annotated[str, Path(examples=["HP"])]) -> Response:
        return await server.upload(request, facility, kind)

    return upload


def _heading(request: Request, seen: _Seen) -> codec.Heading:
    key = request.headers.get("idempotency-key", "").strip()
    sender = request.headers.get("x-sending-system", "REST").strip()
    if not 1 <= len(key) <= NUMBER_LIMIT or not 1 <= len(sender) <= NUMBER_LIMIT:
        detail = f"send your id of this message as Idempotency-Key, 1 to {NUMBER_LIMIT} characters"
        raise ProblemError(Problem(400, "missing_control_id", "Idempotency-Key missing", detail))
    seen.control_id = key
    return codec.Heading(seen.facility, seen.kind, key, sender)


async def _arrival(body: bytes, heading: codec.Heading) -> Arrival:
    if heading.kind != DOCUMENT:
        return codec.arrival(body, heading, UPLOADS[heading.kind])
    if len(body) < LARGE:
        return codec.document(body, heading)
    return await asyncio.to_thread(codec.document, body, heading)


def _check_content_type(request: Request, kind: str) -> None:
    media_type, _, parameters = request.headers.get("content-type", "").partition(";")
    charset = parameters.strip().lower().replace('"', "")
    encoded = request.headers.get("content-encoding", "identity") != "identity"
    if kind == DOCUMENT:
        if encoded or media_type.strip().lower() not in XML_TYPES:
            detail = "send application/xml, without Content-Encoding; the charset is the XML declaration's"
            raise ProblemError(Problem(415, "content_type", "Unsupported media type", detail))
        return
    if encoded or media_type.strip().lower() != "application/json" or charset not in ("", "charset=utf-8"):
        detail = "send application/json in UTF-8, without Content-Encoding"
        raise ProblemError(Problem(415, "content_type", "Unsupported media type", detail))


def _too_large(limit: int) -> ProblemError:
    detail = f"larger than the limit of {limit} bytes; send it in parts"
    return ProblemError(Problem(413, "too_large", "Content too large", detail))


def _refusal(found: Problem, request: Request, seen: _Seen, keep: int) -> Refusal:
    client = request.client
    return Refusal(
        protocol="rest",
        endpoint=seen.endpoint,
        peer=f"{client.host}:{client.port}" if client else "",
        code=found.code,
        reason=found.reason,
        body=bytes(seen.body[:keep]),
        size=max(seen.size, len(seen.body)),
        facility=seen.facility,
        control_id=seen.control_id,
        message_type=f"rest:{seen.kind}",
    )
