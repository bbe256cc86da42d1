"""Telling people of alerts: by webhook and by e-mail, again after growing pauses until it is taken."""

from __future__ import annotations

import json
import smtplib
import ssl
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from email.message import EmailMessage
from typing import Any
from urllib.parse import unquote, urlsplit

import sqlalchemy as sa
import structlog

from bus.alerts.store import Alert, alert
from consortium.errors import PermanentError

log = structlog.get_logger("bus.alerts")

PATIENCE = 10.0
"""Seconds for one delivery."""
LONGEST = 3600
"""Seconds between two tries, at most."""

CLAIM = sa.text(
    "SELECT id, alert_id, event, channel, attempts FROM bus.alert_notice"
    " WHERE delivered_at IS NULL AND not_before <= clock_timestamp() AND channel = ANY(:channels)"
    " ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED"
)
DELIVERED = sa.text(
    "UPDATE bus.alert_notice SET delivered_at = clock_timestamp(), attempts = attempts + 1, last_error = NULL"
    " WHERE id = :id"
)
FAILED = sa.text(
    "UPDATE bus.alert_notice SET attempts = attempts + 1, last_error = :error,"
    " not_before = clock_timestamp() + make_interval(secs => :pause) WHERE id = :id"
)

Send = Callable[[str, Alert], None]
"""Tells of an alert that was `raised` or `cleared`. Raises OSError (HTTP's and SMTP's errors are ones)."""


@dataclass(frozen=True, slots=True)
class Mail:
    """How mail goes out."""

    url: str
    """smtp://user:password@host:port (STARTTLS where the server offers it), or smtps://."""
    sender: str
    recipients: Sequence[str]


def channels(webhook: str, token: str, mail: Mail) -> Mapping[str, Send]:
    """Return the channels that are set. Raises PermanentError for an address that none is."""
    found: dict[str, Send] = {}
    if webhook:
        if urlsplit(webhook).scheme not in ("http", "https"):
            raise PermanentError("the setting alert_webhook must be an http:// or https:// address")
        found["webhook"] = lambda event, one: post(webhook, token, event, one)
    if mail.url and mail.recipients:
        if urlsplit(mail.url).scheme not in ("smtp", "smtps"):
            raise PermanentError("the setting smtp_url must be an smtp:// or smtps:// address")
        found["email"] = lambda event, one: send(mail, event, one)
    return found


def deliver_one(engine: sa.Engine, sends: Mapping[str, Send]) -> bool:
    """Deliver the first notice that is due; False when none is. One that fails is tried again later."""
    with engine.begin() as connection:
        row = connection.execute(CLAIM, {"channels": list(sends)}).one_or_none()
        if row is None:
            return False
        told = alert(connection, row.alert_id)
        if told is None:
            return False
        try:
            sends[row.channel](row.event, told)
        except OSError as error:
            name = type(error).__name__
            log.warning("alert_not_delivered", channel=row.channel, attempts=row.attempts + 1, error=name)
            pause = min(LONGEST, 5 * 2 ** min(row.attempts, 10))
            connection.execute(FAILED, {"id": row.id, "error": name, "pause": pause})
        else:
            connection.execute(DELIVERED, {"id": row.id})
    return True


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Refuses to follow: a token must not go elsewhere."""

    def redirect_request(self, *_: Any) -> None:
        return None


def post(url: str, token: str, event: str, one: Alert) -> None:
    """Post an alert as JSON. Raises OSError for anything but a 2xx."""
    body = json.dumps({"event": event, **asdict(one)}, default=_plain, ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    request = urllib.request.Request(url, body, headers, method="POST")  # noqa: S310 - `channels` checks the scheme
    with urllib.request.build_opener(_NoRedirect).open(request, timeout=PATIENCE):
        return


def send(mail: Mail, event: str, one: Alert) -> None:
    """Mail an alert. Raises OSError."""
    parts = urlsplit(mail.url)
    letter = EmailMessage()
    about = f"{one.name} {one.subject}".strip()
    letter["Subject"] = f"[Yilian 医联] {about} {event}"
    letter["From"] = mail.sender
    letter["To"] = ", ".join(mail.recipients)
    letter.set_content(
        f"{one.detail}\n\n{one.value:g} (threshold {one.threshold:g}), raised {one.raised_at}\n"
    )
    context = ssl.create_default_context()
    host, secure = parts.hostname or "localhost", parts.scheme == "smtps"
    server = (
        smtplib.SMTP_SSL(host, parts.port or 465, timeout=PATIENCE, context=context)
        if secure
        else smtplib.SMTP(host, parts.port or 25, timeout=PATIENCE)
    )
    with server:
        server.ehlo()
        if not secure and server.has_extn("starttls"):
            server.starttls(context=context)
        if parts.username:
            server.login(unquote(parts.username), unquote(parts.password or ""))
        server.send_message(letter)


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
