"""One HTTP request of a delivery, and its answer: not sent, not answered and answered are told apart.

Shared by the webhook, REST and SOAP.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from adapters import via
from adapters.outgoing_tls import client_context
from bus.delivery import statuses
from bus.delivery.transport import (
    ANSWER_KEPT,
    NotSentError,
    OnWire,
    Outgoing,
    SentForm,
    UnansweredError,
    Verdict,
    secret_of,
)
from bus.rules.sending.http import HttpDestination, SignIn
from bus.rules.spec import Form
from bus.sources.opening import ROW_TYPES, XML_TYPES

_SENDING = ".send_request_headers.started"
"""httpcore's event before the first byte of a request goes out."""


def verdict(status: int) -> Verdict:
    """Say what a status means for a message that was sent: `via.STATUS` will always come again."""
    return Verdict.NEVER if status == via.STATUS else statuses.verdict(status)


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


def authorization(sign_in: SignIn | None, secrets: Mapping[str, str]) -> Mapping[str, str]:
    """Return the header that signs us in, none without. Raises PermanentError for a secret that is not set
    or cannot stand in a header.
    """
    if sign_in is None:
        return {}
    secret = secret_of(secrets, sign_in.secret)
    if sign_in.user is not None:
        pair = base64.b64encode(f"{sign_in.user}:{secret}".encode()).decode("ascii")
        return {"authorization": f"Basic {pair}"}
    return {"authorization": f"Bearer {secret}"}


def again(message: Outgoing) -> Mapping[str, str]:
    """Return the header that says which delivery is repeated on purpose, none for another."""
    return {} if message.again_of is None else {"yilian-again-of": f"delivery-{message.again_of}"}


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    kept: SentForm
    """What is kept of it: no secret."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    headers: httpx.Headers
    body: bytes
    """Its beginning, as much as was asked for."""
    whole: bool
    """Whether nothing of the body is missing."""

    @property
    def retry_after(self) -> float | None:
        """Retry-After in seconds; its other form, a date, is left to our own backoff."""
        said = self.headers.get("retry-after")
        return float(said) if said and said.isdecimal() else None


class Exchange:
    """The connections to one destination."""

    def __init__(self, spec: HttpDestination, kept: int = ANSWER_KEPT, name: str = "") -> None:
        """`kept`: bytes read of an answer; `name`: by which we know our requests again (`adapters.via`).

        Raises PermanentError when the TLS files cannot be read.
        """
        self._spec = spec
        self._via = via.said(name)
        self._kept = kept
        self._client = httpx.AsyncClient(
            timeout=spec.timeout_seconds,
            limits=httpx.Limits(max_connections=spec.connections, keepalive_expiry=5.0),
            verify=client_context(spec.tls) or True,
            follow_redirects=False,
            trust_env=False,  # a proxy of the environment would see patients' data
        )

    async def send(self, request: Request, on_wire: OnWire) -> Reply:
        """Send one request. Raises NotSentError, UnansweredError."""
        sent = False

        async def trace(event: str, _info: Mapping[str, Any]) -> None:
            nonlocal sent
            if event.endswith(_SENDING) and not sent:
                await on_wire(request.kept)
                sent = True

        try:
            async with asyncio.timeout(2 * self._spec.timeout_seconds):  # to connect, and for the answer
                return await self._exchanged(request, trace)
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
        return httpx.URL(self._spec.address.partition("{")[0]).netloc.decode("ascii")

    async def _exchanged(self, request: Request, trace: Any) -> Reply:
        async with self._client.stream(
            request.method,
            request.url,
            content=request.body,
            headers={**request.headers, **self._via},
            extensions={"trace": trace},
        ) as response:
            body, whole = await self._body(response)
            return Reply(response.status_code, response.headers, body, whole)

    async def _body(self, response: httpx.Response) -> tuple[bytes, bool]:
        """Return the beginning of the answer's body; the status is the answer, should the body break off."""
        kept = bytearray()
        try:
            async for chunk in response.aiter_bytes():
                kept += chunk
                if len(kept) > self._kept:
                    return bytes(kept[: self._kept]), False
        except (httpx.TransportError, httpx.DecodingError):
            return bytes(kept), False
        return bytes(kept), True
