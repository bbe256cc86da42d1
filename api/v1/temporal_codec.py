"""The codec endpoint of the Temporal UI: what workflows carry, decrypted for whom it is permitted to.

Temporal's remote codec protocol: https://docs.temporal.io/codec-server.
"""

from __future__ import annotations

import math
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Request
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from activities.codec import Encryption, KeyRing
from activities.decoding import UNKNOWN, decoded, encoded, parse
from api.caller import Caller, gate
from api.encoding import JSON
from api.failures import Failure, FailureError, not_found
from api.temporal_door import COOKIE, PREFIX, CodecGate, ui_origin
from consortium.access import tokens
from consortium.access.model import GROUPS_OWN, Action
from consortium.errors import SecurityError
from runtime.settings import Settings

router = APIRouter(prefix="/temporal/codec", tags=["workflows"])

LARGEST = 16 * 1024 * 1024
"""Bytes of a request; of one payload Temporal takes 2 MiB."""

Reader = Annotated[Caller, Depends(CodecGate(Action.WORKFLOW_PAYLOAD_READ))]
Writer = Annotated[Caller, Depends(CodecGate(Action.WORKFLOW_PAYLOAD_WRITE))]
Namespace = Annotated[str, Path(max_length=200, examples=["default"])]
Stated = Annotated[
    str | None, Header(alias="X-Namespace", description="as the UI sends it; must be that of the path")
]
_EXAMPLE = {"payloads": [{"metadata": {"encoding": "YmluYXJ5L2VuY3J5cHRlZA=="}, "data": "…"}]}
_PAYLOADS: dict[str, Any] = {"content": {JSON: {"schema": {"type": "object"}, "example": _EXAMPLE}}}
_BODY: dict[str, Any] = {"requestBody": {**_PAYLOADS, "required": True}}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {**_PAYLOADS, "description": "as many payloads, in the same order"},
    404: {"description": "another namespace than the platform's"},
    413: {"description": f"larger than {LARGEST} bytes"},
    422: {"description": "a payload does not open: another key or namespace, or changed"},
    429: {"description": "more than `temporal_codec_per_minute`; see Retry-After"},
}


class Session(BaseModel):
    """How long the UI may decode."""

    namespace: str = Field(examples=["default"])
    ui: str = Field(description="whence the sign-in counts", examples=["http://127.0.0.1:8233"])
    expires_in: int = Field(description="seconds", examples=[3600])


@router.post("/session", summary="Sign in for the Temporal UI")
def open_session(
    caller: Annotated[Caller, Depends(gate(Action.WORKFLOW_PAYLOAD_READ))], response: Response
) -> Session:
    """Give this browser a cookie with which the UI decodes for an hour. The page `/temporal` calls this."""
    caller.allow(GROUPS_OWN)
    settings = caller.parts.settings
    now, lifetime = caller.parts.now(), tokens.CODEC_LIFETIME
    token = tokens.issue(caller.user.username, settings.token_key, now, lifetime, tokens.CODEC)
    seconds, origin = int(lifetime.total_seconds()), ui_origin(settings)
    response.set_cookie(
        COOKIE,
        token,
        max_age=seconds,
        path=PREFIX,
        httponly=True,
        samesite="strict",
        secure=origin.startswith("https://"),
    )
    caller.note("signed in for the Temporal UI")
    return Session(namespace=settings.temporal_namespace, ui=origin, expires_in=seconds)


@router.post(
    "/{namespace}/decode",
    summary="Decrypt payloads for the Temporal UI",
    responses=_RESPONSES,
    openapi_extra=_BODY,
    response_class=Response,
)
async def decode(caller: Reader, request: Request, namespace: Namespace, stated: Stated = None) -> Response:
    """Return the payloads decrypted; what is not encrypted comes back as it is. Audited for each workflow."""
    _allowed(caller, namespace, stated)
    body = await request.body()
    return await run_in_threadpool(_decode, caller, body)


@router.post(
    "/{namespace}/encode",
    summary="Encrypt payloads for the Temporal UI",
    responses=_RESPONSES,
    openapi_extra=_BODY,
    response_class=Response,
)
async def encode(caller: Writer, request: Request, namespace: Namespace, stated: Stated = None) -> Response:
    """Return the payloads encrypted. Workflows take them for the platform's own: permitted to few."""
    _allowed(caller, namespace, stated)
    body = await request.body()
    return await run_in_threadpool(_encode, caller, body)


def _allowed(caller: Caller, namespace: str, stated: str | None) -> None:
    caller.allow(GROUPS_OWN)
    if namespace != caller.parts.settings.temporal_namespace:
        raise not_found("namespace")
    if stated is not None and stated != namespace:
        raise FailureError(Failure(400, "other-namespace", "X-Namespace is not the namespace of the path"))


def _decode(caller: Caller, body: bytes) -> Response:
    payloads = parse(body)
    _take(caller, len(payloads))
    opener = codec(caller.parts.settings)
    try:
        found = decoded(opener, payloads)
    except SecurityError as error:
        caller.note_failure("a payload did not open")
        raise FailureError(Failure(422, "payload-refused", str(error))) from error
    for workflow, count in sorted(found.workflows.items()):
        which = "workflow not named" if workflow == UNKNOWN else f"workflow {workflow}"
        caller.note(f"{count} payloads decoded", what=which)
    return Response(found.body, media_type=JSON)


def _encode(caller: Caller, body: bytes) -> Response:
    payloads = parse(body)
    _take(caller, len(payloads))
    caller.note(f"{len(payloads)} payloads encoded")
    return Response(encoded(codec(caller.parts.settings), payloads), media_type=JSON)


def _take(caller: Caller, units: int) -> None:
    wait = caller.parts.codec_allowance.take(caller.user.username, max(1, units))
    if wait > 0:
        seconds = math.ceil(wait)
        limit = caller.parts.settings.temporal_codec_per_minute
        detail = f"more than {limit} payloads a minute; try again in {seconds} s"
        raise FailureError(Failure(429, "too-many", detail, headers={"Retry-After": str(seconds)}))


def codec(settings: Settings) -> Encryption:
    """Return the codec of the platform's namespace, for payloads of any workflow."""
    ring = KeyRing.of(settings.payload_key, settings.payload_keys_retired)
    return Encryption(ring, settings.temporal_namespace)
