"""TLS of the hub's listener: who is turned away hears why, and so do we.

asyncio drops OpenSSL's alert when a handshake fails, so a gateway with a wrong certificate would see no more
than a cut line.
"""

from __future__ import annotations

import asyncio
import ssl
from asyncio.sslproto import SSLProtocol
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from adapters.tls import why

CERTIFICATE = "yilian.certificate"
"""Where the connection's client certificate (DER) is in an ASGI scope's extensions."""
SECONDS = 10.0
"""How long a handshake may take."""

Failed = Callable[[str, str], None]
"""Told of a handshake that failed: the peer, and why."""


class CertifiedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP, which tells the application whose certificate the connection has."""

    _certificate: bytes | None = None

    def connection_made(self, transport: Any) -> None:
        """Keep the certificate."""
        tls = transport.get_extra_info("ssl_object")
        self._certificate = tls.getpeercert(binary_form=True) if tls else None
        super().connection_made(transport)

    def on_message_begin(self) -> None:
        """Put it into the scope of each request."""
        super().on_message_begin()
        self.scope["extensions"] = {CERTIFICATE: {"der": self._certificate}}


class _Telling(SSLProtocol):
    """asyncio's TLS (of Python 3.11, to which we are bound), which sends the alert and tells."""

    def __init__(self, inner: asyncio.Protocol, context: ssl.SSLContext, failed: Failed) -> None:
        super().__init__(
            asyncio.get_running_loop(),
            inner,
            context,
            None,  # type: ignore[arg-type] # nobody waits for it
            server_side=True,
            ssl_handshake_timeout=SECONDS,
        )
        self._failed = failed

    def _on_handshake_complete(self, handshake_exc: BaseException | None) -> None:
        if isinstance(handshake_exc, ssl.SSLError):
            self._process_outgoing()
            host, port = (self._get_extra_info("peername") or ("", 0))[:2]
            self._failed(f"{host}:{port}", why(handshake_exc))
        super()._on_handshake_complete(handshake_exc)


def certified(context: ssl.SSLContext, failed: Failed) -> Callable[..., asyncio.Protocol]:
    """Return what makes the protocol of a connection from uvicorn's arguments."""

    def made(**arguments: Any) -> asyncio.Protocol:
        return _Telling(CertifiedProtocol(**arguments), context, failed)

    return made
