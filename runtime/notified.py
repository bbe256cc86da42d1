"""From the settings to the ports of notifications."""

from __future__ import annotations

from urllib.parse import urlsplit

from bus.notifying.mail import MailPort
from bus.notifying.port import Port
from bus.notifying.running import Notifying
from bus.notifying.sms import SmsPort
from bus.notifying.smtp import MailServer
from bus.notifying.wechat import WeChatPort
from consortium.errors import PermanentError
from consortium.notifications.model import Channel
from runtime.ports import LOOPBACK
from runtime.settings import Settings


def ports(settings: Settings) -> dict[Channel, Port]:
    """Return the channels that are set. Raises PermanentError naming a setting that is wrong."""
    found: dict[Channel, Port] = {}
    if urlsplit(settings.sms_gateway).scheme in ("http", "https"):
        shape = settings.sms_shape
        found[Channel.SMS] = SmsPort(settings.sms_gateway, settings.sms_token, shape, settings.sms_secret)
    if settings.smtp_url and settings.notification_mail.sender:
        if urlsplit(settings.smtp_url).scheme not in ("smtp", "smtps"):
            raise PermanentError("the setting smtp_url must be an smtp:// or smtps:// address")
        server = MailServer(settings.smtp_url, settings.smtp_password, settings.smtp_ca, settings.smtp_plain)
        habits = settings.notification_mail
        found[Channel.EMAIL] = MailPort(server, habits.sender, habits.keys_hours * 3600)
    if settings.wechat.app_id:
        found[Channel.WECHAT] = WeChatPort(settings.wechat, settings.wechat_secret)
    return found


def own_links(settings: Settings) -> tuple[str, ...]:
    """Return the beginnings of the platform's own addresses, whichever port it was given."""
    public = (f"{settings.public_url.rstrip('/')}/",) if settings.public_url else ()
    return (f"http://{LOOPBACK}:{settings.api_port}/", *public)


def notified(settings: Settings) -> Notifying:
    """Return what sending needs."""
    return Notifying(
        settings.database_url,
        settings.rules_dir,
        lambda: settings.campuses,
        ports(settings),
        own_links(settings),
    )
