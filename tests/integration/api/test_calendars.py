"""Calendars over the API: who may, what one who is too late is told, and feeds by signed addresses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import sqlalchemy as sa
from icalendar import Calendar

from consortium.access import audit
from tests.integration.api.conftest import As

PATH = "/api/v1/calendars"
NINE = (datetime.now(UTC) + timedelta(days=7)).replace(hour=1, minute=0, second=0, microsecond=0)
SUBJECT = "consultation-0198c0de-0000-7000-8000-000000000001"
KEY = f"{SUBJECT}:expert-1"


def time(number: int) -> dict[str, str]:
    start = NINE + number * timedelta(minutes=30)
    return {"start": start.isoformat(), "end": (start + timedelta(minutes=30)).isoformat()}


class Room:
    """The routes, as people of the sample use them."""

    def __init__(self, client: httpx.AsyncClient, as_: As) -> None:
        self.client = client
        self.as_ = as_

    async def post(self, who: str, path: str, body: object = None) -> httpx.Response:
        return await self.client.post(f"{PATH}{path}", headers=self.as_(who), json=body)

    async def get(self, who: str, path: str, **query: Any) -> httpx.Response:
        return await self.client.get(f"{PATH}{path}", headers=self.as_(who), params=query)

    async def expert(self, number: int = 2) -> tuple[str, list[str]]:
        """Have an expert of the main campus with so many slots."""
        body = {
            "organisation": "MAIN",
            "kind": "expert",
            "name": "心内科 远程会诊",
            "username": "doctor.main",
        }
        made = await self.post("coordinator.main", "", body)
        assert made.status_code == 200, made.text
        id_ = made.json()["id"]
        times = {"times": [time(n) for n in range(number)]}
        offered = await self.post("coordinator.main", f"/{id_}/slots", times)
        assert offered.status_code == 200, offered.text
        return id_, [slot["id"] for slot in offered.json()["items"]]

    async def hold(self, who: str, slot: str, key: str = KEY) -> httpx.Response:
        body = {"subject": SUBJECT, "minutes": 30, "slots": [{"slot": slot, "key": key}]}
        return await self.post(who, "/bookings", body)


@pytest.fixture
def room(client: httpx.AsyncClient, as_: As) -> Room:
    return Room(client, as_)


async def test_a_coordinator_elsewhere_holds_and_the_campus_confirms(room: Room, engine: sa.Engine) -> None:
    calendar, (one, two) = await room.expert()
    period = {"start": NINE.isoformat(), "end": (NINE + timedelta(days=1)).isoformat(), "kind": "expert"}
    free = await room.get("doctor.huangpu", "/availability", **period)
    assert [slot["id"] for slot in free.json()["items"]] == [one, two]
    held = await room.hold("coordinator.huangpu", one)
    assert (held.status_code, held.json()["items"][0]["state"]) == (200, "held")
    assert (await room.hold("coordinator.huangpu", one)).json() == held.json()
    refused = await room.post("coordinator.huangpu", f"/bookings/{KEY}/confirm")
    assert refused.status_code == 403
    confirmed = await room.post("coordinator.main", f"/bookings/{KEY}/confirm")
    assert (confirmed.json()["state"], confirmed.json()["held_until"]) == ("confirmed", None)
    assert (await room.get("doctor.huangpu", f"/bookings/{KEY}")).json() == confirmed.json()
    all_ = await room.get("doctor.main", "/availability", **period, calendar=calendar, free="false")
    assert [slot["state"] for slot in all_.json()["items"]] == ["confirmed", "free"]
    with engine.connect() as connection:
        entries = [record.entry for record in audit.entries(connection, limit=50)]
    changes = [(entry.username, entry.action) for entry in reversed(entries) if entry.outcome == "allowed"]
    assert changes == [
        ("coordinator.main", "calendar.manage"),
        ("coordinator.main", "calendar.manage"),
        ("coordinator.huangpu", "calendar.hold"),
        ("coordinator.huangpu", "calendar.hold"),
        ("coordinator.main", "calendar.confirm"),
    ]


async def test_who_is_too_late_is_told_how_it_stands_now(room: Room) -> None:
    _, (one, _) = await room.expert()
    held = (await room.hold("coordinator.main", one)).json()["items"][0]
    late = await room.hold("coordinator.huangpu", one, "another")
    assert (late.status_code, late.headers["content-type"]) == (409, "application/problem+json")
    current = late.json()["current"]
    assert current["state"] == "held"
    assert datetime.fromisoformat(current["held_until"]) == datetime.fromisoformat(held["held_until"])


async def test_a_booking_is_moved_and_given_back(room: Room) -> None:
    _, (one, two) = await room.expert()
    await room.hold("coordinator.huangpu", one)
    assert (await room.post("coordinator.huiya", f"/bookings/{KEY}/release")).status_code == 403
    moved = await room.post("coordinator.huangpu", f"/bookings/{KEY}/move", {"slot": two})
    assert (moved.json()["slot"], moved.json()["moves"]) == (two, 1)
    await room.post("coordinator.main", f"/bookings/{KEY}/confirm")
    assert (await room.post("coordinator.huangpu", f"/bookings/{KEY}/release")).status_code == 403
    for who in ("coordinator.main", "coordinator.huangpu"):
        released = await room.post(who, f"/bookings/{KEY}/release")
        assert released.json()["state"] == "released"
    gone = await room.post("coordinator.main", f"/bookings/{KEY}/confirm")
    assert (gone.status_code, gone.json()["current"]["state"]) == (409, "released")


async def test_slots_are_withdrawn_unless_somebody_has_them(room: Room, as_: As) -> None:
    _, (one, two) = await room.expert()
    await room.hold("coordinator.main", one)
    done = [
        (await room.client.delete(f"{PATH}/slots/{slot}", headers=as_(who))).status_code
        for who, slot in (("coordinator.huangpu", two), ("coordinator.main", one), ("coordinator.main", two))
    ]
    assert done == [403, 409, 204]


async def test_only_its_own_campus_offers_times(room: Room) -> None:
    calendar, _ = await room.expert()
    body = {"organisation": "MAIN", "kind": "bed", "name": "1"}
    assert (await room.post("coordinator.huangpu", "", body)).status_code == 403
    assert (
        await room.post("coordinator.huangpu", f"/{calendar}/slots", {"times": [time(9)]})
    ).status_code == 403
    assert (await room.post("doctor.main", "", body)).status_code == 403
    listed = await room.get("doctor.huiya", "", organisation="MAIN")
    assert [one["name"] for one in listed.json()["items"]] == ["心内科 远程会诊"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/bookings", {"subject": SUBJECT, "slots": [{"slot": str(UUID(int=1)), "key": "a"}]}, 404),
        ("/bookings", {"subject": "张三", "slots": [{"slot": str(UUID(int=1)), "key": "a"}]}, 422),
        ("/bookings", {"subject": SUBJECT, "slots": [{"slot": str(UUID(int=1)), "key": "a/b"}]}, 422),
        ("/bookings/nobody/confirm", None, 404),
        (f"/{UUID(int=1)}/slots", {"times": [time(1)]}, 404),
        (f"/{UUID(int=1)}/slots", {"times": [{"start": time(1)["end"], "end": time(1)["start"]}]}, 422),
    ],
)
async def test_what_cannot_be_is_told(room: Room, path: str, body: object, status: int) -> None:
    assert (await room.post("coordinator.main", path, body)).status_code == status


async def test_a_deadline_in_working_time_tells_when_it_is_provisional(room: Room) -> None:
    asked = {"start": "2026-09-30T16:30:00+08:00", "minutes": 61, "organisation": "MAIN"}
    due = (await room.get("doctor.main", "/working-time", **asked)).json()
    assert due == {"due": "2026-10-08T08:01:00+08:00", "provisional_years": []}
    late = {**asked, "start": "2026-12-31T17:00:00+08:00", "minutes": 60}
    due = (await room.get("doctor.main", "/working-time", **late)).json()
    assert due == {"due": "2027-01-04T08:30:00+08:00", "provisional_years": [2027]}
    urgent = (await room.get("doctor.main", "/working-time", **late, emergency="true")).json()
    assert urgent == {"due": "2026-12-31T18:00:00+08:00", "provisional_years": []}
    unknown = await room.get(
        "doctor.main", "/working-time", **{**asked, "start": "2031-01-01T00:00:00+08:00"}
    )
    assert (unknown.status_code, unknown.json()["type"]) == (400, "urn:yilian:problem:unknown-calendar-year")


async def test_a_feed_is_read_by_its_address_alone_until_it_is_revoked(
    room: Room, client: httpx.AsyncClient, as_: As
) -> None:
    calendar, (one, _) = await room.expert()
    await room.hold("coordinator.huangpu", one)
    feed = (await room.post("doctor.main", "/feeds", {})).json()
    assert (await room.post("doctor.main", "/feeds", {})).json() == feed
    read = await client.get(feed["path"])
    assert (read.status_code, read.headers["content-type"]) == (200, "text/calendar; charset=utf-8")
    (event,) = Calendar.from_ical(read.content).walk("VEVENT")
    assert (event.decoded("DTSTART"), event["STATUS"]) == (NINE, "TENTATIVE")
    assert "0198c0de" not in read.text
    other = (await room.post("doctor.huiya", "/feeds", {"calendar": calendar})).json()
    assert other["path"] != feed["path"]
    deleted = f"{PATH}/feeds/{feed['id']}"
    assert (await client.delete(deleted, headers=as_("doctor.huiya"))).status_code == 404
    assert (await client.delete(deleted, headers=as_("doctor.main"))).status_code == 204
    assert (await client.get(feed["path"])).status_code == 404
    assert (await client.get(other["path"])).status_code == 200
    assert (await room.post("doctor.main", "/feeds", {})).json()["path"] != feed["path"]


async def test_an_address_is_not_made_by_guessing(room: Room, client: httpx.AsyncClient) -> None:
    calendar, _ = await room.expert()
    path = (await room.post("doctor.main", "/feeds", {"calendar": calendar})).json()["path"]
    name, signature = path.removesuffix(".ics").rsplit("/", 1)[1].split(".")
    other = "A" if signature[0] != "A" else "B"
    for wrong in (f"{uuid4().hex}.{signature}", f"{name}.{other}{signature[1:]}"):
        assert (await client.get(f"{PATH}/feeds/{wrong}.ics")).status_code == 404
    assert (await client.get(f"{PATH}/feeds/{name}.ics")).status_code == 422
    assert (await room.post("doctor.huiya", "/feeds", {})).status_code == 404
    assert (await room.post("doctor.main", "/feeds", {"calendar": str(UUID(int=1))})).status_code == 404


async def test_a_closed_account_reads_no_feed(
    room: Room, client: httpx.AsyncClient, engine: sa.Engine
) -> None:
    await room.expert()
    path = (await room.post("doctor.main", "/feeds", {})).json()["path"]
    with engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE access.account SET disabled = true WHERE username = 'doctor.main'")
        )
    assert (await client.get(path)).status_code == 404


async def test_calendars_are_schedules_and_slots_of_fhir(
    room: Room, client: httpx.AsyncClient, as_: As
) -> None:
    calendar, (one, two, three) = await room.expert(3)
    await room.hold("coordinator.huangpu", two)
    headers = as_("doctor.huiya")

    async def found(path: str) -> dict[str, Any]:
        answer = await client.get(f"/fhir/{path}", headers=headers)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def ids(bundle: dict[str, Any]) -> list[str]:
        return [entry["resource"]["id"] for entry in bundle.get("entry", [])]

    assert ids(await found("Schedule")) == [calendar]
    assert (await found(f"Schedule/{calendar}"))["actor"][0]["display"] == "心内科 远程会诊"
    assert ids(await found(f"Slot?schedule=Schedule/{calendar}")) == [one, two, three]
    assert ids(await found("Slot?status=free")) == [one, three]
    assert ids(await found("Slot?status=busy-tentative,busy")) == [two]
    assert ids(
        await found(f"Slot?start=ge{(NINE + timedelta(minutes=60)).strftime('%Y-%m-%dT%H:%M:%SZ')}")
    ) == [three]
    assert ids(await found(f"Slot?schedule=Schedule/{uuid4()}")) == []
    assert ids(await found("Slot?start=ge2030-01-01&start=lt2029-01-01")) == []
    page = await found("Slot?_count=2")
    (further,) = [link["url"] for link in page["link"] if link["relation"] == "next"]
    assert ids(page) + ids(await found(further.partition("/fhir/")[2])) == [one, two, three]
    assert (await found(f"Slot/{two}"))["status"] == "busy-tentative"
    for path in (f"Slot/{uuid4()}", f"Schedule/{uuid4()}", "Slot/none"):
        assert (await client.get(f"/fhir/{path}", headers=headers)).status_code == 404
    assert (await client.get("/fhir/Slot", headers=as_("patient.demo"))).status_code == 403
