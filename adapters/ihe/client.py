"""The client side: one request to another system's IHE endpoint, and its answer."""

from __future__ import annotations

import httpx
from lxml import etree

from adapters.ihe import envelope
from adapters.ihe.envelope import Message
from adapters.ihe.faults import SOAP, FaultError
from adapters.ihe.mtom import Parts, unpack
from consortium.errors import PermanentError, RetryableError


class Client:
    """Calls endpoints over one pool of connections."""

    def __init__(self, client: httpx.AsyncClient, answer_limit: int) -> None:
        """`answer_limit`: most bytes of an answer."""
        self._client = client
        self._limit = answer_limit

    async def call(self, url: str, action: str, payload: etree._Element, *, mtom: bool = True) -> Message:
        """Send a request and return its answer.

        Raises RetryableError when the other side is out of reach, PermanentError when its answer is a fault
        or none that can be read.
        """
        content, content_type = Parts(mtom).pack(envelope.written(payload, action, to=url), action)
        try:
            body, answered_type, status = await self._exchange(url, content, content_type)
        except httpx.HTTPError as error:
            raise RetryableError(f"no answer ({type(error).__name__})") from error
        try:
            packed = unpack(body, answered_type)
            root = envelope.opened(packed, self._limit)
            if root.find(f"{{{SOAP}}}Body/{{{SOAP}}}Fault") is not None:
                raise PermanentError(f"answered with a SOAP fault (HTTP {status})")
            return envelope.read(root, packed)
        except FaultError as error:
            raise PermanentError(f"its answer cannot be read (HTTP {status}): {error}") from error

    async def _exchange(self, url: str, content: bytes, content_type: str) -> tuple[bytes, str, int]:
        headers = {"Content-Type": content_type}
        async with self._client.stream("POST", url, content=content, headers=headers) as response:
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > self._limit:
                    raise PermanentError(f"its answer is larger than {self._limit} bytes")
            return bytes(body), response.headers.get("content-type", ""), response.status_code
