"""Bookings as an iCalendar feed (RFC 5545). It leaves the house: it has no patient and no workflow's id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from icalendar import Calendar, Event
from icalendar.enums import CLASS, STATUS

from consortium.scheduling.model import Booking, Resource

PRODUCT = "-//Yilian//Scheduling//ZH"
REFRESH = timedelta(minutes=15)
"""How often a calendar program should look again (RFC 7986)."""
KINDS = {"referral": "转诊", "consultation": "远程会诊"}
"""What a booking is for, by the first word of its subject."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A booking, and whose time it is."""

    booking: Booking
    resource: Resource


def feed(resource: Resource, entries: Sequence[Entry]) -> bytes:
    """Return the feed of a resource: an event for each booking, tentative while it is only held.

    The same entries give the same bytes.
    """
    made = Calendar.new(
        prodid=PRODUCT,
        uid=f"{resource.id}@yilian",
        name=resource.name,
        method="PUBLISH",
        refresh_interval=REFRESH,
        subcomponents=[_event(one) for one in entries],
    )
    made["REFRESH-INTERVAL"].params["VALUE"] = "DURATION"  # which RFC 7986 section 5.7 asks for
    content: bytes = made.to_ical()
    return content


def _event(entry: Entry) -> Event:
    booking, changed = entry.booking, _utc(entry.booking.changed_at)
    confirmed = booking.state == "confirmed"
    what = KINDS.get(booking.subject.partition("-")[0], "预约")
    return Event.new(
        uid=f"{booking.id}@yilian",
        start=_utc(booking.start),
        end=_utc(booking.end),
        summary=what if confirmed else f"{what}（待确认）",
        location=entry.resource.name,
        status=STATUS.CONFIRMED if confirmed else STATUS.TENTATIVE,
        classification=CLASS.PRIVATE,
        sequence=booking.moves,
        stamp=changed,
        last_modified=changed,
    )


def _utc(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(microsecond=0)
