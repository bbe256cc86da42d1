"""What the identity endpoint is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from adapters.mllp.settings import MllpSettings
from adapters.tls import Sender, Tls, subject
from bus.hl7.problem import UNKNOWN_KEY, HL7Error
from runtime.pix import PixApplication
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


class Subjects:
    """Which certificate each application has."""

    def __init__(self, applications: Sequence[PixApplication]) -> None:
        """Raises TlsSettingError for what is no subject."""
        self._held = [(one, subject(one.subject)) for one in applications if one.subject]

    def check(self, sender: Sender, facility: str, application: str) -> None:
        """Raise HL7Error, wrong_campus or wrong_application, for one whose certificate this is not."""
        sender.check(facility)
        held = subject(sender.name)
        for one, theirs in self._held:
            if theirs == held and one.facility == facility and one.application in {application, "*"}:
                return
        reason = f"MSH-3 names another application than the certificate of {sender.name} stands for"
        raise HL7Error("wrong_application", reason, UNKNOWN_KEY, "MSH-3")


def _tls(settings: Settings) -> Tls | None:
    told = settings.pix
    if told.certificate is None or told.key is None:
        return None
    senders: dict[str, frozenset[str]] = {}
    for one in told.applications:
        if one.subject:
            senders[one.subject] = senders.get(one.subject, frozenset()) | {one.facility}
    return Tls(told.certificate, told.key, told.client_ca, senders=senders or None)
