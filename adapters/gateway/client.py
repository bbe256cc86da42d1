"""The line to the hub: one outbound TLS connection on which batches go, in order, each confirmed."""

from __future__ import annotations

import ssl
from types import TracebackType
from typing import Self

import httpx
import msgspec

from adapters.gateway.codec import MEDIA_TYPE, PATH, Answer, Batch, written
from adapters.gateway.settings import GatewaySettings
from adapters.gateway.trouble import LineError, Trouble, of_answer, of_failure
from adapters.tls import client_context


class Client:
    """Sends batches. Use it with `async with`. Raises TlsSettingError for a certificate of no use."""

    def __init__(self, settings: GatewaySettings) -> None:
        hub, line = settings.hub, settings.line
        self._url = hub.url
        context = client_context(hub.ca, hub.certificate, hub.key)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._http = httpx.AsyncClient(
            base_url=hub.url,
            verify=context,
            auth=httpx.BasicAuth(hub.account, hub.password) if hub.account else None,
            timeout=httpx.Timeout(line.answer_seconds, connect=line.connect_seconds),
            limits=httpx.Limits(max_connections=1, keepalive_expiry=line.beat_seconds * 4),
            headers={"Content-Type": MEDIA_TYPE},
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        """Return itself; it connects when it sends."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        await self._http.aclose()

    async def send(self, batch: Batch) -> Answer:
        """Send a batch and return the hub's answer, which comes after its commit. Raises LineError."""
        try:
            response = await self._http.post(PATH, content=written(batch))
        except (httpx.TransportError, OSError) as error:  # an alert after the handshake comes as ssl.SSLError
            raise LineError(of_failure(error, self._url)) from error
        if response.status_code != 200:
            raise LineError(of_answer(response))
        try:
            return msgspec.json.decode(response.content, type=Answer)
        except msgspec.DecodeError as error:
            raise LineError(Trouble("not_understood", "HTTP 200")) from error
