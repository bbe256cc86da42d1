"""Delivering by HTTP POST, signed as Standard Webhooks has it: `webhook-id`, `webhook-timestamp`,
`webhook-signature`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Callable

from adapters.exchange import Exchange, Request, again, content_type, verdict
from bus.delivery.transport import Answer, OnWire, Outgoing
from bus.rules.destinations import WebhookDestination
from consortium.errors import PermanentError

_PREFIX = "whsec_"


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


class WebhookTransport:
    """`bus.delivery.transport.Transport` over signed HTTP."""

    def __init__(
        self,
        spec: WebhookDestination,
        secret: str,
        clock: Callable[[], float] = time.time,
        name: str = "",
    ) -> None:
        """`clock` gives Unix seconds; `name`: see `Exchange`. Raises PermanentError for a secret that is
        none.
        """
        self._spec = spec
        self._keys = keys(secret)
        self._clock = clock
        self._exchange = Exchange(spec, name=name)

    async def check(self) -> None:
        """Nothing can be told of a webhook without a message."""

    async def send(self, message: Outgoing, on_wire: OnWire) -> Answer:
        """Post one message; see `Transport`."""
        headers = self._headers(message)
        request = Request("POST", self._spec.address, headers, message.body, message.as_it_is)
        reply = await self._exchange.send(request, on_wire)
        return Answer(verdict(reply.status), str(reply.status), reply.body, reply.retry_after)

    async def close(self) -> None:
        """Close all connections."""
        await self._exchange.close()

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
            **again(message),
        }
