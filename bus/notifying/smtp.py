"""The mail server: connect, agree on TLS, sign in. Alerts and notifications go by it."""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True)
class MailServer:
    """Where letters are handed over."""

    url: str
    """smtp://user@host:port (STARTTLS, RFC 3207), or smtps:// (TLS from the first byte)."""
    password: str = ""
    """Of the url's user; one that stands in the url counts where this is empty."""
    ca: Path | None = None
    """Authority of the server's certificate; None: the machine's."""
    plain: bool = False
    """Whether a server elsewhere may be spoken to without TLS."""

    def connect(self, patience: float) -> smtplib.SMTP:
        """Return a session that is signed in. Raises OSError (SMTP's errors are ones)."""
        parts = urlsplit(self.url)
        host, context = parts.hostname or "localhost", ssl.create_default_context(cafile=self.ca)
        if parts.scheme == "smtps":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                host, parts.port or 465, timeout=patience, context=context
            )
        else:
            server = smtplib.SMTP(host, parts.port or 587, timeout=patience)
        try:
            if parts.scheme == "smtp":
                self._encrypt(server, host, context)
            if parts.username:
                server.login(unquote(parts.username), self.password or unquote(parts.password or ""))
        except BaseException:
            server.close()
            raise
        return server

    def _encrypt(self, server: smtplib.SMTP, host: str, context: ssl.SSLContext) -> None:
        server.ehlo()
        if server.has_extn("starttls"):
            server.starttls(context=context)
            server.ehlo()
        elif not (self.plain or _loopback(host)):
            # Not offered, or taken out on the way: neither password nor letter goes out in the clear.
            raise smtplib.SMTPNotSupportedError(
                "the mail server offers no STARTTLS; see the setting smtp_plain"
            )


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
