"""Consultations over the API and PostgreSQL; the workflow between them has its own tests."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from temporalio.exceptions import ApplicationError

from activities.consultation_client import refused
from activities.consultations import Consultations
from activities.stepping import Subject
from api.app import create_app
from consortium.access.accounts import bind_patient
from consortium.scheduling import resources
from consortium.scheduling.hours import PlainCalendar
from runtime.settings import Settings
from tests.integration.api.conftest import As, connected, settings_for
from tests.integration.api.records import person_of_three_campuses
from workflows.teleconsult.model import Recording, Stand, Start, Take

PATH = "/api/v1/consultations"
NINE = (datetime.now(UTC) + timedelta(days=7)).replace(hour=1, minute=0, second=0, microsecond=0)
HALF = timedelta(minutes=30)
BEGIN = {
    "kind": "video",
    "consulting_facility": "MAIN",
    "encounter": "V-HP",
    "question": "是否需要外科手术？",
    "consent": {"by": "patient", "method": "written"},
}
OPINION = {"opinion": {"findings": "三支病变", "opinion": "建议外科手术"}}


class Workflows:
    """Stands in for the running workflows: records each step at once, as their activity does."""

    def __init__(self, url: str) -> None:
        self._activities = Consultations(connected(url), lambda _: PlainCalendar())

    async def take(self, settings: Settings, start: Start, take: Take, key: str) -> Stand:
        order = Recording(
            consultation_id=start.consultation_id,
            key=key,
            step=take.step,
            party=take.party,
            user=take.user,
            details=take.details,
            at=datetime.now(UTC),
        )
        try:
            return self._activities.record(order)
        except ApplicationError as error:
            raise refused(Subject("consultation", start.consultation_id, ""), error) from error


@pytest.fixture
def wang(engine: sa.Engine) -> UUID:
    """王珅, whose visit V-HP is at Huangpu."""
    person = person_of_three_campuses(engine)
    with engine.begin() as connection:
        bind_patient(connection, "patient.demo", person)
    return person


@pytest.fixture
def app(seeded_url: str, wang: UUID, engine: sa.Engine) -> Iterator[FastAPI]:
    with engine.begin() as connection:
        one = resources.add(connection, "MAIN", "expert", "心外科", by="c", username="doctor.main")
        resources.publish(connection, one.id, [(NINE, NINE + HALF)], by="c")
    application = create_app(settings_for(seeded_url))
    parts = application.state.platform
    taking = Workflows(seeded_url).take
    application.state.platform = replace(parts, take_consultation_step=taking)
    yield application
    application.state.platform.engine.dispose()


class Users:
    """Calls the API as its sample users."""

    def __init__(self, client: httpx.AsyncClient, as_: As) -> None:
        self._client = client
        self._as = as_
        self.id = ""

    async def ask(
        self, user: str, method: str, path: str = "", body: Any = None, key: str = "", **query: str
    ) -> httpx.Response:
        headers = self._as(user) | ({"Idempotency-Key": key} if key else {})
        return await self._client.request(method, f"{PATH}{path}", json=body, headers=headers, params=query)

    async def begin(self, **said: Any) -> dict[str, Any]:
        answer = await self.ask("doctor.huangpu", "POST", "", BEGIN | said, "begin")
        assert answer.status_code == 201, answer.text
        begun = answer.json()
        assert isinstance(begun, dict)
        self.id = begun["id"]
        return begun

    async def step(self, user: str, step: str, body: Any = None, key: str = "") -> httpx.Response:
        return await self.ask(user, "POST", f"/{self.id}/steps/{step}", body, key)

    async def took(self, user: str, step: str, body: Any = None) -> dict[str, Any]:
        answer = await self.step(user, step, body)
        assert answer.status_code == 200, answer.text
        said = answer.json()
        assert isinstance(said, dict)
        return said


@pytest.fixture
def users(client: httpx.AsyncClient, as_: As) -> Users:
    return Users(client, as_)


async def test_a_draft_has_the_documents_of_the_visit_and_is_written_once(users: Users, wang: UUID) -> None:
    begun = await users.begin()
    assert (begun["person_id"], begun["state"], len(begun["documents"])) == (str(wang), "draft", 1)
    assert (await users.begin())["id"] == begun["id"]
    listed = (await users.ask("doctor.huangpu", "GET")).json()
    assert [one["id"] for one in listed["items"]] == [begun["id"]]


async def test_a_video_consultation_over_the_api_from_draft_to_close(users: Users) -> None:
    await users.begin()
    await users.took("doctor.huangpu", "submit")
    await users.took("coordinator.main", "assign", {"experts": ["doctor.main"]})
    when = {"start": NINE.isoformat(), "end": (NINE + 4 * HALF).isoformat()}
    times = await users.ask("coordinator.main", "GET", f"/{users.id}/times", **when)
    (free,) = times.json()
    await users.took("coordinator.main", "schedule", {"slots": free["slots"]})
    await users.took("doctor.main", "confirm")
    assert (await users.took("doctor.huangpu", "confirm"))["state"] == "confirmed"
    await users.took("doctor.main", "begin")
    await users.took("doctor.main", "write", OPINION)
    hidden = (await users.ask("doctor.huangpu", "GET", f"/{users.id}")).json()
    assert (hidden["opinion"], hidden["signed"]) == (None, None)
    await users.took("doctor.main", "sign")
    await users.took("doctor.huangpu", "evaluate", {"rating": 5, "note": "及时"})
    await users.took("coordinator.main", "charge", {"fee": "300.00"})
    assert (await users.took("doctor.huangpu", "close"))["state"] == "closed"
    shown = (await users.ask("patient.demo", "GET", f"/{users.id}")).json()
    assert hashlib.sha256(shown["signed"]["content"].encode()).hexdigest() == shown["signed"]["sha256"]
    assert (shown["fee"], shown["evaluations"][0]["rating"], shown["open_steps"]) == ("300.00", 5, [])


async def test_a_step_too_early_is_a_409_with_the_state_and_what_is_open(users: Users) -> None:
    await users.begin(kind="ecg")
    await users.took("doctor.huangpu", "submit")
    answer = await users.step("coordinator.main", "charge", {"fee": "1"})
    assert answer.status_code == 409
    said = answer.json()
    assert (said["state"], said["open_steps"]) == ("requested", ["return", "decline", "assign", "cancel"])
    wrong = await users.step("doctor.main", "assign", {"experts": ["doctor.main"]})
    assert (wrong.status_code, wrong.json()["type"]) == (403, "urn:yilian:problem:not-yours")


async def test_a_time_that_is_taken_is_a_409_and_nothing_changes(users: Users, engine: sa.Engine) -> None:
    await users.begin()
    await users.took("doctor.huangpu", "submit")
    await users.took("coordinator.main", "assign", {"experts": ["doctor.main"]})
    when = {"start": NINE.isoformat(), "end": (NINE + HALF).isoformat()}
    (free,) = (await users.ask("coordinator.main", "GET", f"/{users.id}/times", **when)).json()
    with engine.begin() as connection:
        resources.withdraw(connection, UUID(free["slots"][0]), by="c")
    answer = await users.step("coordinator.main", "schedule", {"slots": free["slots"]})
    assert answer.status_code == 409
    assert (await users.ask("coordinator.main", "GET", f"/{users.id}")).json()["state"] == "accepted"


async def test_the_same_key_again_takes_a_step_once(users: Users) -> None:
    await users.begin()
    first = await users.step("doctor.huangpu", "submit", key="once")
    again = await users.step("doctor.huangpu", "submit", key="once")
    assert (again.status_code, again.json()) == (200, first.json())


async def test_another_hospital_sees_nothing_unless_its_doctor_is_the_expert(users: Users) -> None:
    await users.begin()
    assert (await users.ask("doctor.huiya", "GET", f"/{users.id}")).status_code == 403
    await users.took("doctor.huangpu", "submit")
    await users.took("coordinator.main", "assign", {"experts": ["doctor.huiya"]})
    shown = await users.ask("doctor.huiya", "GET", f"/{users.id}")
    assert (shown.status_code, shown.json()["experts"]) == (200, ["doctor.huiya"])
    assert (await users.ask("ops", "GET", f"/{users.id}")).status_code == 403


async def test_a_request_is_completed_after_it_was_returned(users: Users) -> None:
    await users.begin(question="", consent=None)
    listed = (await users.ask("coordinator.main", "GET", "")).json()
    assert listed["items"] == [], "a draft is the asking hospital's alone"
    assert (await users.ask("coordinator.main", "GET", f"/{users.id}")).status_code == 403
    missing = await users.step("doctor.huangpu", "submit")
    assert missing.json()["missing"] == ["question", "consent"]
    changed = {"version": 1, "question": "？", "consent": {"by": "patient", "method": "oral"}}
    other = await users.ask("coordinator.main", "PUT", f"/{users.id}/request", changed)
    assert other.status_code == 403
    assert (await users.ask("doctor.huangpu", "PUT", f"/{users.id}/request", changed)).status_code == 204
    assert (await users.ask("doctor.huangpu", "PUT", f"/{users.id}/request", changed)).status_code == 409
    await users.took("doctor.huangpu", "submit")
    unknown = await users.ask("doctor.huangpu", "GET", f"/{UUID(int=1)}")
    assert unknown.status_code == 404
    own = await users.ask("doctor.huangpu", "POST", "", BEGIN | {"consulting_facility": "HP"}, "own")
    assert own.status_code == 422
    nowhere = await users.ask("doctor.huangpu", "POST", "", BEGIN | {"consulting_facility": "NONE"}, "n")
    assert (nowhere.status_code, nowhere.json()["type"]) == (422, "urn:yilian:problem:unknown-hospital")
