"""What the identity endpoint is told."""

from __future__ import annotations

from dataclasses import replace

from adapters.mllp.settings import MllpSettings
from adapters.tls import Tls
from runtime.settings import Settings


def pix_settings(settings: Settings) -> MllpSettings:
    """Take what concerns the listener from the settings. Raises HL7Error for an unknown charset."""
    return replace(
        MllpSettings.of(settings),
        host=settings.pix_host,
        port=settings.pix_port,
        endpoint="pix",
        tls=_tls(settings),
    )


def _tls(settings: Settings) -> Tls | None:
    told = settings.pix
    if told.certificate is None or told.key is None:
        return None
    senders: dict[str, frozenset[str]] = {}
    for one in told.applications:
        if one.subject:
            senders[one.subject] = senders.get(one.subject, frozenset()) | {one.facility}
    return Tls(told.certificate, told.key, told.client_ca, senders=senders or None)
