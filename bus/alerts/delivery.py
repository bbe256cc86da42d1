"""Telling people of alerts: by webhook, e-mail and SMS, each by its own pace, again after growing pauses."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

import sqlalchemy as sa
import structlog

from bus.alerts.channel import Channel, Notice
from bus.alerts.mail import Mail
from bus.alerts.sms import Sms
from bus.alerts.store import required
from bus.alerts.webhook import Webhook
from consortium.errors import PermanentError

log = structlog.get_logger("bus.alerts")

LONGEST = 3600
"""Seconds between two tries, at most."""

LOCKS = 0x59_6C_41_4C
"""First key of the advisory locks by which one process at a time tells by a channel."""

TAKE = sa.text("SELECT pg_try_advisory_xact_lock(:locks, hashtext(:channel))")
DUE = sa.text(
    "SELECT id, alert_id, event, attempts FROM bus.alert_notice WHERE channel = :channel"
    " AND delivered_at IS NULL AND not_before <= clock_timestamp() AND NOT EXISTS (SELECT FROM"
    " bus.alert_notice told WHERE told.channel = :channel"
    " AND told.delivered_at > clock_timestamp() - make_interval(secs => :pause))"
    " ORDER BY id LIMIT :most FOR UPDATE"
)
DELIVERED = sa.text(
    "UPDATE bus.alert_notice SET delivered_at = clock_timestamp(), attempts = attempts + 1, last_error = NULL"
    " WHERE id = ANY(:ids)"
)
FAILED = sa.text(
    "UPDATE bus.alert_notice SET attempts = attempts + 1, last_error = :error,"
    " not_before = clock_timestamp() + make_interval(secs => :pause) WHERE id = ANY(:ids)"
)


def channels(webhook: Webhook, mail: Mail, sms: Sms | None) -> Mapping[str, Channel]:
    """Return the channels that are set. Raises PermanentError for an address that none is."""
    found: dict[str, Channel] = {}
    if webhook.url:
        if urlsplit(webhook.url).scheme not in ("http", "https"):
            raise PermanentError("the setting alert_webhook must be an http:// or https:// address")
        found["webhook"] = webhook
    if mail.url and mail.recipients:
        if urlsplit(mail.url).scheme not in ("smtp", "smtps"):
            raise PermanentError("the setting smtp_url must be an smtp:// or smtps:// address")
        found["email"] = mail
    if sms is not None and sms.numbers:
        found["sms"] = sms
    return found


def deliver(engine: sa.Engine, by: Mapping[str, Channel]) -> int:
    """Tell by each channel what it may tell now; returns how many notices were told. One channel's trouble
    is not another's.
    """
    return sum(_deliver(engine, name, channel) for name, channel in by.items())


def _deliver(engine: sa.Engine, name: str, channel: Channel) -> int:
    with engine.begin() as connection:
        if not connection.execute(TAKE, {"locks": LOCKS, "channel": name}).scalar_one():
            return 0
        due = {"channel": name, "pause": channel.pause, "most": channel.most}
        rows = connection.execute(DUE, due).all()
        if not rows:
            return 0
        notices = [Notice(row.id, row.event, required(connection, row.alert_id)) for row in rows]
        ids, attempts = [notice.id for notice in notices], max(row.attempts for row in rows)
        try:
            channel.tell(notices)
        except OSError as error:
            what = type(error).__name__
            log.warning("alert_not_delivered", kind=name, attempts=attempts + 1, error=what, count=len(ids))
            pause = min(LONGEST, 5 * 2 ** min(attempts, 10))
            connection.execute(FAILED, {"ids": ids, "error": what, "pause": pause})
            return 0
        connection.execute(DELIVERED, {"ids": ids})
    return len(ids)
