"""From the settings to what the housekeeping needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bus.alerts.channel import Channel
from bus.alerts.conditions import Limits
from bus.alerts.delivery import channels
from bus.alerts.mail import Mail
from bus.alerts.sms import Sms, gateway
from bus.alerts.webhook import Webhook
from bus.tending import Tended
from runtime.contents import folder_of
from runtime.keeping import keep
from runtime.settings import Settings, home


def tended(settings: Settings) -> Tended:
    """Return what is tended under these settings. Raises PermanentError naming one that is wrong."""
    return Tended(
        settings.database_url,
        settings.routing_key,
        home(),
        limits(settings),
        told(settings),
        keep(settings),
        folder_of(settings),
    )


def told(settings: Settings) -> Mapping[str, Channel]:
    """Return how people are told of alerts. Raises PermanentError naming a setting that is wrong."""
    mail = Mail(
        settings.smtp_url,
        settings.alert_mail_from,
        settings.alert_mail_to,
        password=settings.smtp_password,
        ca=settings.smtp_ca,
        plain=settings.smtp_plain,
        pause=settings.alert_mail_seconds,
    )
    sms = None
    if settings.sms_gateway:
        way = gateway(settings.sms_gateway, settings.sms_token, settings.sms_shape, settings.sms_secret)
        sms = Sms(way, settings.alert_sms_to, pause=settings.alert_sms_seconds)
    return channels(Webhook(settings.alert_webhook, settings.alert_webhook_token), mail, sms)


def patience(settings: Settings) -> dict[str, float]:
    """Return by campus the seconds of silence that mean nothing; a campus that may be silent is not in it."""
    known = limits(settings)
    waits = {one.code: known.patience(one.code) for one in settings.campuses}
    return {code: seconds for code, seconds in waits.items() if seconds > 0}


def _processes(settings: Settings) -> Iterator[str]:
    """Give the processes that must live; the router stands for all of its parts."""
    for name in settings.alert_processes:
        yield from settings.routers if name == "router" else (name,)
    if settings.gateway_endpoint:
        yield "gateway"


def limits(settings: Settings) -> Limits:
    """Return the thresholds of the alerts."""
    return Limits(
        queue_seconds=settings.alert_queue_seconds,
        error_share=settings.alert_error_share,
        silence_seconds=settings.alert_silence_minutes * 60,
        silence_of={code: minutes * 60 for code, minutes in settings.alert_silence.items()},
        unmapped_codes=settings.alert_unmapped_codes,
        process_seconds=settings.alert_process_seconds,
        processes=tuple(_processes(settings)),
        gateway_seconds=settings.alert_gateway_minutes * 60,
        disk_free=settings.alert_disk_free,
        destination_seconds=settings.alert_destination_seconds,
        stuck=settings.alert_stuck,
        notifications=settings.alert_notifications,
        breakers=settings.alert_breakers,
        store_seconds=settings.alert_store_seconds,
        workflow_seconds=settings.alert_workflow_seconds,
    )
