"""Telling people of alerts by e-mail: one letter for all that came since the last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from pathlib import Path

import structlog

from bus.alerts.channel import PATIENCE, Notice
from bus.notifying.smtp import MailServer

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
        server = MailServer(self.url, self.password, self.ca, self.plain)
        with server.connect(PATIENCE) as session:
            refused = session.send_message(letter(notices, self.sender, self.recipients))
        if refused:
            log.warning("alert_recipients_refused", count=len(refused))


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
