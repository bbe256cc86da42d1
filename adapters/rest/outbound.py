"""Delivering by REST: JSON or FHIR that a shape makes of the message, or the message itself."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from adapters.exchange import Exchange, Request, authorization, content_type, verdict
from bus.delivery.shaping import filled, leaf, opened
from bus.delivery.transport import Answer, OnWire, Outgoing, UnsendableError, Verdict
from bus.rules.destinations import RestDestination

_PATH = re.compile(r"\{([^{}]+)\}")


class RestTransport:
    """`bus.delivery.transport.Transport` over HTTP POST or PUT."""

    def __init__(self, spec: RestDestination, secrets: Mapping[str, str], name: str = "") -> None:
        """`name`: see `Exchange`.

        Raises PermanentError when a secret is not set or the TLS files cannot be read.
        """
        self._spec = spec
        self._signed_in = authorization(spec.sign_in, secrets)
        self._exchange = Exchange(spec, name=name)

    async def check(self) -> None:
        """Nothing can be told of an address without a message."""

    async def send(self, message: Outgoing, on_wire: OnWire) -> Answer:
        """Send one message; see `Transport`."""
        request = Request(
            self._spec.method, address(self._spec, message), self._headers(message), body(self._spec, message)
        )
        reply = await self._exchange.send(request, on_wire)
        known = reply.status in self._spec.also_taken
        meaning = Verdict.TAKEN if known else verdict(reply.status)
        return Answer(meaning, str(reply.status), reply.body, reply.retry_after)

    async def close(self) -> None:
        """Close all connections."""
        await self._exchange.close()

    def _headers(self, message: Outgoing) -> dict[str, str]:
        by_default = "application/json" if self._spec.body else content_type(message)
        return {
            "accept": "*/*",
            "user-agent": "yilian",
            **self._spec.headers,
            **self._signed_in,
            "content-type": self._spec.content_type or by_default,
            self._spec.idempotency_header: f"delivery-{message.id}",
        }


def address(spec: RestDestination, message: Outgoing) -> str:
    """Return the URL of a message. Raises UnsendableError when it lacks what the URL names."""
    if "{" not in spec.address:
        return spec.address
    source = opened(message)

    def value(match: re.Match[str]) -> str:
        found = leaf(match[1], source, message, "address")
        if found is None or found in (".", ".."):
            raise UnsendableError("missing", f"address: the message has nothing usable at {match[1]}")
        return quote(str(found), safe="")

    return _PATH.sub(value, spec.address)


def body(spec: RestDestination, message: Outgoing) -> bytes:
    """Return what is sent of a message. Raises UnsendableError."""
    if spec.body is None:
        return message.body
    return as_json(filled(spec.body, message))


def as_json(made: Any) -> bytes:
    """Return what a shape made, as JSON."""
    return json.dumps(made, ensure_ascii=False, separators=(",", ":"), default=_plain).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, date):  # a time, too
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    raise TypeError(f"a {type(value).__name__} has no form in JSON")
