"""One HTTP request, and whether it went out. No redirect is followed and no proxy of the environment used."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from bus.delivery.transport import ANSWER_KEPT, NotSentError, UnansweredError
from bus.notifying.port import PATIENCE

_SENDING = ".send_request_headers.started"
"""httpcore's event before the first byte of a request goes out."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    body: bytes
    retry_after: float | None

    def member(self, path: str) -> str | None:
        """Return a member of a JSON answer by its path, as `result.code`; None without it."""
        try:
            found: Any = json.loads(self.body)
        except ValueError:
            return None
        for step in path.split("."):
            found = found.get(step) if isinstance(found, dict) else None
        return None if found is None or isinstance(found, dict | list) else str(found)


class Poster:
    """Connections to one host."""

    def __init__(self, patience: float = PATIENCE) -> None:
        # A connection that the other side has closed meanwhile would make what goes over it ambiguous.
        fresh = httpx.Limits(max_keepalive_connections=0)
        self._client = httpx.Client(timeout=patience, limits=fresh, follow_redirects=False, trust_env=False)

    def exchange(
        self, method: str, url: str, content: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Send one request. Raises NotSentError, UnansweredError; neither names more than the host."""
        sent = False

        def trace(event: str, _info: Mapping[str, Any]) -> None:
            nonlocal sent
            sent = sent or event.endswith(_SENDING)

        host = httpx.URL(url).host
        try:
            request = self._client.build_request(
                method, url, content=content or None, headers=headers, extensions={"trace": trace}
            )
            response = self._client.send(request, stream=True)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            name = type(error).__name__
            if not sent:
                raise NotSentError(f"no connection with {host} ({name})") from error
            raise UnansweredError(f"{host} did not answer it ({name})") from error
        try:
            body = _beginning(response)
        finally:
            response.close()
        said = response.headers.get("retry-after")
        return Reply(response.status_code, body, float(said) if said and said.isdecimal() else None)

    def close(self) -> None:
        """Close all connections."""
        self._client.close()


def _beginning(response: httpx.Response) -> bytes:
    """Return the beginning of a body; the status is the answer, should the body break off."""
    kept = bytearray()
    try:
        for chunk in response.iter_bytes():
            kept += chunk
            if len(kept) >= ANSWER_KEPT:
                break
    except (httpx.TransportError, httpx.DecodingError):
        pass  # what came is kept: whether it was taken, the status has said
    return bytes(kept[:ANSWER_KEPT])
