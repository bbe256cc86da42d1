"""From the settings to how long what is kept."""

from __future__ import annotations

from bus.retention.decide import Keep
from runtime.settings import Settings


def keep(settings: Settings) -> Keep:
    """Return for how many days things are kept under these settings."""
    return Keep(settings.keep_body_days, settings.keep_trace_days, settings.keep_index_days)
