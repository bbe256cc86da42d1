"""From the settings to the links that patients are sent."""

from __future__ import annotations

from consortium.referral.links import Links
from runtime.settings import Settings


def links(settings: Settings) -> Links | None:
    """Return what makes and reads them; None without a key to sign with."""
    if not settings.token_key:
        return None
    return Links(settings.public_url or f"http://127.0.0.1:{settings.api_port}", settings.token_key)
