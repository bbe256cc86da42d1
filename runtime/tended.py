"""From the settings to what the housekeeping needs."""

from __future__ import annotations

from bus.alerts.conditions import Limits
from bus.alerts.delivery import Mail, channels
from bus.tending import Tended
from runtime.settings import Settings, home


def tended(settings: Settings) -> Tended:
    """Return what is tended under these settings. Raises PermanentError naming one that is wrong."""
    mail = Mail(settings.smtp_url, settings.alert_mail_from, settings.alert_mail_to)
    sends = channels(settings.alert_webhook, settings.alert_webhook_token, mail)
    return Tended(settings.database_url, settings.routing_key, home(), limits(settings), sends)


def patience(settings: Settings) -> dict[str, float]:
    """Return by campus the seconds of silence that mean nothing; a campus that may be silent is not in it."""
    known = limits(settings)
    waits = {one.code: known.patience(one.code) for one in settings.campuses}
    return {code: seconds for code, seconds in waits.items() if seconds > 0}


def limits(settings: Settings) -> Limits:
    """Return the thresholds of the alerts."""
    return Limits(
        queue_seconds=settings.alert_queue_seconds,
        error_share=settings.alert_error_share,
        silence_seconds=settings.alert_silence_minutes * 60,
        silence_of={code: minutes * 60 for code, minutes in settings.alert_silence.items()},
        unmapped_codes=settings.alert_unmapped_codes,
        process_seconds=settings.alert_process_seconds,
        processes=(*settings.alert_processes, *(["gateway"] if settings.gateway_endpoint else [])),
        gateway_seconds=settings.alert_gateway_minutes * 60,
        disk_free=settings.alert_disk_free,
    )
