"""The iCalendar feed: what calendar programs are shown, and what leaves the house."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar

from consortium.scheduling import ical
from consortium.scheduling.ical import Entry
from consortium.scheduling.model import Booking, Resource, State

NINE = datetime(2026, 12, 1, 1, tzinfo=UTC)
SUBJECT = "consultation-0198c0de-0000-7000-8000-000000000001"


def resource(name: str = "心内科 远程会诊") -> Resource:
    return Resource(UUID(int=1), "MAIN", "expert", name, "doctor.main")


def entry(
    state: State = "confirmed", *, start: datetime = NINE, moves: int = 0, name: str = "心内科 远程会诊"
) -> Entry:
    end = start + timedelta(minutes=30)
    booking = Booking(
        UUID(int=2), "key", SUBJECT, UUID(int=1), UUID(int=3), start, end, state, NINE, "chen", moves, NINE
    )
    return Entry(booking, resource(name))


def test_a_booking_is_an_event() -> None:
    made = Calendar.from_ical(ical.feed(resource(), [entry(moves=2)]))
    (event,) = made.walk("VEVENT")
    assert (event.decoded("DTSTART"), event.decoded("DTEND")) == (NINE, NINE + timedelta(minutes=30))
    assert (event["SUMMARY"], event["LOCATION"], event["STATUS"]) == (
        "远程会诊",
        "心内科 远程会诊",
        "CONFIRMED",
    )
    assert (event["SEQUENCE"], event["CLASS"]) == (2, "PRIVATE")
    assert (made["METHOD"], made["VERSION"]) == ("PUBLISH", "2.0")


def test_what_is_only_held_is_tentative() -> None:
    (event,) = Calendar.from_ical(ical.feed(resource(), [entry("held")])).walk("VEVENT")
    assert (event["SUMMARY"], event["STATUS"]) == ("远程会诊（待确认）", "TENTATIVE")


def test_the_feed_names_neither_workflow_nor_key_nor_who_holds() -> None:
    made = ical.feed(resource(), [entry()]).decode()
    assert not [word for word in (SUBJECT, "0198c0de", "key", "chen", "doctor.main") if word in made]


def test_the_same_bookings_give_the_same_bytes_and_the_form_is_the_standards() -> None:
    made = ical.feed(resource(), [entry(), entry("held", start=NINE + timedelta(days=1))])
    assert made == ical.feed(resource(), [entry(), entry("held", start=NINE + timedelta(days=1))])
    assert b"REFRESH-INTERVAL;VALUE=DURATION:PT15M\r\n" in made
    assert all(len(line) <= 75 for line in made.split(b"\r\n"))
    assert b"BEGIN:VEVENT" not in ical.feed(resource(), [])


@given(
    st.text(
        st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=100
    ),
    st.datetimes(datetime(2026, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - of the strategy
)
def test_every_name_and_time_is_read_back(name: str, start: datetime) -> None:
    start = start.replace(microsecond=0)
    (event,) = Calendar.from_ical(ical.feed(resource(name), [entry(start=start, name=name)])).walk("VEVENT")
    assert (str(event["LOCATION"]), event.decoded("DTSTART")) == (name, start)
