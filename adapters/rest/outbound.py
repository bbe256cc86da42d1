"""Delivering by REST: JSON or FHIR that a shape makes of the message, or the message itself."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from urllib.parse import quote

from adapters.exchange import Exchange, Reply, Request, again, authorization, content_type, verdict
from bus.delivery.shaping import as_json, filled, leaf, opened
from bus.delivery.transport import (
    ANSWER_KEPT,
    Answer,
    Found,
    NotSentError,
    OnWire,
    Outgoing,
    SentForm,
    UnansweredError,
    UnsendableError,
    Verdict,
)
from bus.rules.destinations import RestDestination
from bus.rules.sending.verify import INSERTED, KEY

_LIMIT = 1024 * 1024
"""Bytes read of a reply: a Bundle is judged whole or not at all."""
_ASKED_FOR = "application/fhir+json, application/json;q=0.9, */*;q=0.8"
"""A server that has XML and JSON of FHIR answers in what is read here."""
_FHIR = b"http://hl7.org/fhir"


class RestTransport:
    """`bus.delivery.transport.Transport` over HTTP POST or PUT."""

    def __init__(self, spec: RestDestination, secrets: Mapping[str, str], name: str = "") -> None:
        """`name`: see `Exchange`.

        Raises PermanentError when a secret is not set or the TLS files cannot be read.
        """
        self._spec = spec
        self._signed_in = authorization(spec.sign_in, secrets)
        self._exchange = Exchange(spec, _LIMIT, name)

    async def check(self) -> None:
        """Nothing can be told of an address without a message."""

    async def send(self, message: Outgoing, on_wire: OnWire) -> Answer:
        """Send one message; see `Transport`."""
        url, made = address(self._spec, message), body(self._spec, message)
        charset = message.as_it_is.charset if self._spec.body is None else "utf-8"
        kept = SentForm(made, charset, None if url == self._spec.address else f"{self._spec.method} {url}")
        request = Request(self._spec.method, url, self._headers(message), made, kept)
        reply = await self._exchange.send(request, on_wire)
        known = reply.status in self._spec.also_taken
        meaning = Verdict.TAKEN if known else verdict(reply.status)
        return Answer(meaning, str(reply.status), reply.body[:ANSWER_KEPT], reply.retry_after)

    async def arrived(self, message: Outgoing) -> Found:
        """Ask by the request of `verify`; see `Asking`."""
        if self._spec.verify is None:
            return Found.UNTOLD
        url = inserted(self._spec.verify.address, message, {KEY: f"delivery-{message.id}"})
        headers = {"accept": _ASKED_FOR, "user-agent": "yilian", **self._spec.headers, **self._signed_in}
        request = Request("GET", url, headers, b"", SentForm(b"", "ascii"))
        try:
            return found(await self._exchange.send(request, _nobody))
        except (NotSentError, UnansweredError):
            return Found.UNTOLD

    async def close(self) -> None:
        """Close all connections."""
        await self._exchange.close()

    def _headers(self, message: Outgoing) -> dict[str, str]:
        by_default = "application/json" if self._spec.body else content_type(message)
        return {
            "accept": "*/*",
            "user-agent": "yilian",
            **again(message),
            **self._spec.headers,
            **self._signed_in,
            "content-type": self._spec.content_type or by_default,
            self._spec.idempotency_header: f"delivery-{message.id}",
        }


async def _nobody(_form: SentForm) -> None:
    """A question is no attempt: nobody is told."""


def found(reply: Reply) -> Found:
    """Say what the answer to a question means."""
    if reply.status in (404, 410):
        return Found.NOT_THERE
    kind = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not 200 <= reply.status < 300 or kind == "text/html":  # of somebody between, who asks to sign in
        return Found.UNTOLD
    if _fhir_xml(kind, reply.body):  # it may be an empty Bundle, which is not read here
        return Found.UNTOLD
    try:
        said = json.loads(reply.body)
    except ValueError:
        return Found.UNTOLD if _meant_as_json(kind, reply) else Found.THERE
    if not isinstance(said, dict) or said.get("resourceType") != "Bundle":
        return Found.THERE
    return Found.THERE if said.get("entry") or said.get("total") else Found.NOT_THERE


def _fhir_xml(kind: str, body: bytes) -> bool:
    return kind == "application/fhir+xml" or (
        body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<" and _FHIR in body
    )


def _meant_as_json(kind: str, reply: Reply) -> bool:
    """Whether a body that does not parse is JSON by its type, or is the beginning of some."""
    said = kind.endswith(("/json", "+json"))
    return said or (not reply.whole and reply.body.lstrip()[:1] in (b"{", b"["))


def address(spec: RestDestination, message: Outgoing) -> str:
    """Return the URL of a message. Raises UnsendableError when it lacks what the URL names."""
    return inserted(spec.address, message, {})


def inserted(url: str, message: Outgoing, known: Mapping[str, str]) -> str:
    """Return a URL with the values of a message, and with `known` ones, in it. Raises UnsendableError."""
    if "{" not in url:
        return url
    source = opened(message)

    def value(match: re.Match[str]) -> str:
        found = known.get(match[1]) or leaf(match[1], source, message, "address")
        if found is None or found in (".", ".."):
            raise UnsendableError("missing", f"address: the message has nothing usable at {match[1]}")
        return quote(str(found), safe="")

    return INSERTED.sub(value, url)


def body(spec: RestDestination, message: Outgoing) -> bytes:
    """Return what is sent of a message. Raises UnsendableError."""
    if spec.body is None:
        return message.body
    return as_json(filled(spec.body, message))
