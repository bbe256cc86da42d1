"""Delivering by HTTP POST, signed as Standard Webhooks has it: `webhook-id`, `webhook-timestamp`,
`webhook-signature`.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from bus.delivery.transport import (
    ANSWER_KEPT,
    Answer,
    NotSentError,
    OnWire,
    Outgoing,
    UnansweredError,
    Verdict,
)
from bus.rules.destinations import WebhookDestination
from bus.rules.spec import Form
from bus.sources.opening import ROW_TYPES, XML_TYPES
from consortium.errors import PermanentError

_PREFIX = "whsec_"
_SENDING = ".send_request_headers.started"
"""httpcore's event before the first byte of a request goes out."""
_LATER = frozenset({408, 425, 429, 500, 503, 507})
_UNSURE = frozenset({502, 504})
_WRONG_DOOR = frozenset({401, 403, 404, 405, 407, 410, 421})


def verdict(status: int) -> Verdict:
    """Say what a status means for a message that was posted."""
    if 200 <= status < 300:
        return Verdict.TAKEN
    if status in _UNSURE:
        return Verdict.UNSURE
    if status in _LATER or status >= 500:
        return Verdict.LATER
    if status in _WRONG_DOOR or status < 400:  # a redirect is not followed: patients' data go to one address
        return Verdict.WRONG_DOOR
    return Verdict.NEVER


def keys(secret: str) -> list[bytes]:
    """Return the signing keys of a secret: several separated by blanks while one is being changed;
    `whsec_…` is base64.

    Raises PermanentError for one that is empty, or is no base64.
    """
    try:
        found = [
            base64.b64decode(part.removeprefix(_PREFIX), validate=True)
            if part.startswith(_PREFIX)
            else part.encode()
            for part in secret.split()
        ]
    except binascii.Error as error:
        raise PermanentError("its secret begins with whsec_ and is no base64 after it") from error
    if not found or not all(found):
        raise PermanentError("its secret is empty: set it in delivery_secrets")
    return found


def signature(keys: list[bytes], id_: str, timestamp: int, body: bytes) -> str:
    """Return the header `webhook-signature` over id, time (Unix seconds) and body."""
    signed = f"{id_}.{timestamp}.".encode() + body
    digests = [hmac.new(key, signed, hashlib.sha256).digest() for key in keys]
    return " ".join("v1," + base64.b64encode(digest).decode() for digest in digests)


def content_type(message: Outgoing) -> str:
    """Return the media type of what is sent."""
    if message.form is Form.CANONICAL:
        return "application/json"
    if message.form is Form.FHIR:
        return "application/fhir+json"
    if message.form is Form.HL7:
        return f"application/hl7-v2; charset={message.charset}"
    if message.message_type.startswith(ROW_TYPES):
        return "application/json"
    kind = "application/xml" if message.message_type.startswith(XML_TYPES) else "application/hl7-v2"
    return f"{kind}; charset={message.charset}"


class WebhookTransport:
    """`bus.delivery.transport.Transport` over HTTP."""

    def __init__(self, spec: WebhookDestination, secret: str, clock: Callable[[], float] = time.time) -> None:
        """`clock` gives Unix seconds. Raises PermanentError for a secret that is none."""
        self._spec = spec
        self._keys = keys(secret)
        self._clock = clock
        self._client = httpx.AsyncClient(
            timeout=spec.timeout_seconds,
            limits=httpx.Limits(max_connections=spec.connections, keepalive_expiry=5.0),
            follow_redirects=False,
            trust_env=False,  # a proxy of the environment would see patients' data
        )

    async def send(self, message: Outgoing, on_wire: OnWire) -> Answer:
        """Post one message; see `Transport`."""
        sent = False

        async def trace(event: str, _info: Mapping[str, Any]) -> None:
            nonlocal sent
            if event.endswith(_SENDING) and not sent:
                await on_wire()
                sent = True

        try:
            async with asyncio.timeout(2 * self._spec.timeout_seconds):  # to connect, and for the answer
                return await self._post(message, trace)
        except (httpx.TransportError, TimeoutError) as error:
            name = type(error).__name__
            if not sent:
                raise NotSentError(f"no connection with {self._host} ({name})") from error
            raise UnansweredError(f"{self._host} did not answer it ({name})") from error

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    @property
    def _host(self) -> str:
        return httpx.URL(self._spec.address).netloc.decode("ascii")

    async def _post(self, message: Outgoing, trace: Any) -> Answer:
        async with self._client.stream(
            "POST",
            self._spec.address,
            content=message.body,
            headers=self._headers(message),
            extensions={"trace": trace},
        ) as response:
            return Answer(
                verdict(response.status_code),
                str(response.status_code),
                await _kept(response),
                _seconds(response.headers.get("retry-after")),
            )

    def _headers(self, message: Outgoing) -> dict[str, str]:
        id_, now = f"delivery-{message.id}", int(self._clock())
        return {
            "content-type": self._spec.content_type or content_type(message),
            "user-agent": "yilian",
            "webhook-id": id_,
            "webhook-timestamp": str(now),
            "webhook-signature": signature(self._keys, id_, now, message.body),
            "yilian-message-id": str(message.message_id),
            "yilian-message-type": message.message_type,
        }


async def _kept(response: httpx.Response) -> bytes:
    """Return the beginning of the answer's body; the status is the answer, should the body break off."""
    kept = bytearray()
    try:
        async for chunk in response.aiter_bytes():
            kept += chunk
            if len(kept) >= ANSWER_KEPT:
                break
    except (httpx.TransportError, httpx.DecodingError):
        return bytes(kept)
    return bytes(kept[:ANSWER_KEPT])


def _seconds(retry_after: str | None) -> float | None:
    """Read Retry-After in seconds; its other form, a date, is left to our own backoff."""
    return float(retry_after) if retry_after and retry_after.isdecimal() else None
