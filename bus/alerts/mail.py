"""Telling people of alerts by e-mail: one letter for all that came since the last."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import unquote, urlsplit

import structlog

from bus.alerts.channel import PATIENCE, Notice

log = structlog.get_logger("bus.alerts")


@dataclass(frozen=True)
class Mail:
    """`bus.alerts.channel.Channel` over SMTP."""

    url: str
    """smtp://user@host:port (STARTTLS, RFC 3207), or smtps:// (TLS from the first byte)."""
    sender: str
    recipients: Sequence[str]
    password: str = ""
    """Of the url's user; one that stands in the url counts where this is empty."""
    ca: Path | None = None
    """Authority of the server's certificate; None: the machine's."""
    plain: bool = False
    """Whether a server elsewhere may be spoken to without TLS."""
    pause: float = 60.0
    most: int = 50

    def tell(self, notices: Sequence[Notice]) -> None:
        """Send one letter. Raises OSError when not one recipient was accepted."""
        with self._server() as server:
            refused = server.send_message(letter(notices, self.sender, self.recipients))
        if refused:
            log.warning("alert_recipients_refused", count=len(refused))

    def _server(self) -> smtplib.SMTP:
        """Connect, agree on TLS, sign in."""
        parts = urlsplit(self.url)
        host, context = parts.hostname or "localhost", ssl.create_default_context(cafile=self.ca)
        if parts.scheme == "smtps":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                host, parts.port or 465, timeout=PATIENCE, context=context
            )
        else:
            server = smtplib.SMTP(host, parts.port or 587, timeout=PATIENCE)
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
        elif not (self.plain or _loopback(host)):
            # Not offered, or taken out on the way: neither password nor letter goes out in the clear.
            raise smtplib.SMTPNotSupportedError(
                "the mail server offers no STARTTLS; see the setting smtp_plain"
            )


def letter(notices: Sequence[Notice], sender: str, recipients: Sequence[str]) -> EmailMessage:
    """Return the letter about these."""
    first, others = notices[0], len(notices) - 1
    more = f" (+{others})" if others else ""
    made = EmailMessage()
    made["Subject"] = f"[Yilian 医联] {first.about} {first.event}{more}"
    made["From"] = sender
    made["To"] = ", ".join(recipients)
    made["Date"] = formatdate(localtime=True)
    made["Message-ID"] = make_msgid(domain="yilian.localhost")
    made["Auto-Submitted"] = "auto-generated"  # RFC 3834: no absence notes in return
    made.set_content("\n".join(_paragraph(notice) for notice in notices))
    return made


def _paragraph(notice: Notice) -> str:
    one = notice.alert
    ended = f", cleared {one.cleared_at:%Y-%m-%d %H:%M:%S %z}" if one.cleared_at else ""
    return (
        f"{notice.event}: {notice.about}\n{one.detail}\n"
        f"{one.value:g} (threshold {one.threshold:g}), raised {one.raised_at:%Y-%m-%d %H:%M:%S %z}{ended}\n"
    )


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
