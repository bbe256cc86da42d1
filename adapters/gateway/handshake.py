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
SECONDS = 10
"""How long a handshake may take."""
LINGER = 2.0
"""Seconds that a peer that is turned away gets to read why."""

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

    # Of asyncio's class; its published types leave them out.
    _handshake_timeout_handle: asyncio.TimerHandle
    _process_outgoing: Callable[[], None]

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
        self._turned_away = False

    def _on_handshake_complete(self, handshake_exc: BaseException | None) -> None:
        if not isinstance(handshake_exc, ssl.SSLError):
            super()._on_handshake_complete(handshake_exc)
            return
        host, port = (self._get_extra_info("peername") or ("", 0))[:2]
        self._failed(f"{host}:{port}", why(handshake_exc))
        self._turn_away()

    def _turn_away(self) -> None:
        """Send the alert, and close only when the peer has had time to read it.

        With TLS 1.3 its request is on the way already: closing at once would reset the connection first.
        """
        transport: Any = self._transport  # a socket's: it reads and writes
        if transport is None:
            return
        self._turned_away = True
        self._handshake_timeout_handle.cancel()
        self._process_outgoing()
        transport.write_eof()
        asyncio.get_running_loop().call_later(LINGER, transport.abort)

    def buffer_updated(self, nbytes: int) -> None:
        """Take what came; of a peer that is turned away, nothing."""
        if not self._turned_away:
            super().buffer_updated(nbytes)

    def eof_received(self) -> None:
        """Close; of a peer that is turned away, because it has read the alert."""
        if not self._turned_away:
            super().eof_received()


def certified(context: ssl.SSLContext, failed: Failed) -> Callable[..., asyncio.BaseProtocol]:
    """Return what makes the protocol of a connection from uvicorn's arguments."""

    def made(**arguments: Any) -> asyncio.BaseProtocol:
        return _Telling(CertifiedProtocol(**arguments), context, failed)

    return made
