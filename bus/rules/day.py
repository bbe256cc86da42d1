"""The day of a message, on which its codes are looked up in tables whose entries have dates."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from functools import partial

from bus.rules.dates import SHANGHAI, ImpossibleDateError, parse_datetime
from bus.sources.hl7 import Hl7Source
from bus.sources.source import Source

Day = Callable[[], date]
"""Asked for only where a table has dates."""


def day_of(message_time: str | None, received_at: datetime) -> date:
    """Return the day of the message's own time, as its intake read it (MSH-7 of HL7); of its receipt where it
    has none, or none that is a date. A day is one of the consortium's zone.
    """
    if message_time:
        try:
            return parse_datetime(message_time).astimezone(SHANGHAI).date()
        except (ImpossibleDateError, OverflowError):
            pass  # a rule that reads the time itself holds the message for it
    return received_at.astimezone(SHANGHAI).date()


def asked(message_time: str | None, received_at: datetime) -> Day:
    """Return what says the day of a message when it is asked."""
    return partial(day_of, message_time, received_at)


def untold(source: Source) -> date:
    """Return the day of a message that is in no inbox, a file or a rule's test: MSH-7 of HL7; else today."""
    written = source.get("MSH-7.1") if isinstance(source, Hl7Source) else None
    return day_of(written, datetime.now(SHANGHAI))


def today() -> date:
    """Return the day that it is in the consortium's zone."""
    return datetime.now(SHANGHAI).date()
