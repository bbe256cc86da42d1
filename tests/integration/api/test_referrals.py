"""Referrals over the API and PostgreSQL; the workflow between them has its own tests."""

from __future__ import annotations

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

from activities.referral_client import refused
from activities.referrals import Referrals
from activities.stepping import Subject
from api.app import create_app
from consortium.access.accounts import bind_patient
from consortium.referral.links import Links
from consortium.referral.telling import Telling
from consortium.scheduling import booking, resources
from consortium.scheduling.hours import PlainCalendar
from consortium.scheduling.model import Want
from runtime.settings import Settings
from tests.integration.api.conftest import TOKEN_KEY, As, connected, settings_for
from tests.integration.api.records import person_of_three_campuses
from workflows.referral.model import Recording, Stand, Start, Take

PATH = "/api/v1/referrals"
LINKS = Links("http://127.0.0.1:8080", TOKEN_KEY)


class Workflows:
    """Stands in for the running workflows: records each step at once, as their activity does."""

    def __init__(self, url: str) -> None:
        self._activities = Referrals(connected(url), lambda _: PlainCalendar(), Telling(LINKS))

    async def take_step(self, settings: Settings, start: Start, take: Take, key: str) -> Stand:
        order = Recording(
            referral_id=start.referral_id,
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
            raise refused(Subject("referral", start.referral_id, ""), error) from error


@pytest.fixture
def wang(engine: sa.Engine) -> UUID:
    """王珅, whose visit V-HP is at Huangpu."""
    person = person_of_three_campuses(engine)
    with engine.begin() as connection:
        bind_patient(connection, "patient.demo", person)
    return person


@pytest.fixture
def app(seeded_url: str, wang: UUID) -> Iterator[FastAPI]:
    application = create_app(settings_for(seeded_url))
    parts = application.state.platform
    application.state.platform = replace(parts, take_step=Workflows(seeded_url).take_step)
    yield application
    application.state.platform.engine.dispose()


BEGIN = {
    "direction": "up",
    "urgency": "urgent",
    "receiving_facility": "MAIN",
    "encounter": "V-HP",
    "criteria": ["lacking_technique"],
    "form": {"reason": "本院不能开展急诊冠脉介入治疗"},
}


class Users:
    """Calls the API as its sample users."""

    def __init__(self, client: httpx.AsyncClient, as_: As) -> None:
        self._client = client
        self._as = as_
        self.id = ""

    async def ask(self, user: str, method: str, path: str, body: Any = None, key: str = "") -> httpx.Response:
        headers = self._as(user) | ({"Idempotency-Key": key} if key else {})
        return await self._client.request(method, f"{PATH}{path}", json=body, headers=headers)

    async def begin(self, **said: Any) -> dict[str, Any]:
        answer = await self.ask("doctor.huangpu", "POST", "", BEGIN | said, "begin")
        assert answer.status_code == 201, answer.text
        begun = answer.json()
        assert isinstance(begun, dict)
        self.id = begun["id"]
        return begun

    async def step(self, user: str, step: str, body: Any = None, key: str = "") -> httpx.Response:
        return await self.ask(user, "POST", f"/{self.id}/steps/{step}", body, key)

    async def consent(self) -> None:
        answer = await self.ask("doctor.huangpu", "POST", f"/{self.id}/consent", {"given": True}, "consent")
        assert answer.status_code == 204, answer.text


@pytest.fixture
def users(client: httpx.AsyncClient, as_: As) -> Users:
    return Users(client, as_)


async def test_the_form_comes_filled_from_the_records_with_where_from(users: Users, wang: UUID) -> None:
    begun = await users.begin()
    form = begun["form"]
    assert (form["name"], form["sex"], form["birth_date"]) == ("王珅", "male", "1949-12-31")
    assert form["preliminary_diagnosis"] == "原发性高血压"
    assert form["reason"] == BEGIN["form"]["reason"]  # type: ignore[index]
    assert ("钾", "6.80", "critical_high") in [
        (r["name"], r["value"], r["flag"]) for r in form["key_results"]
    ]
    assert {source["kind"] for source in form["provenance"]["key_results"]} == {"report"}
    assert (begun["person_id"], begun["missing"], begun["state"]) == (str(wang), [], "draft")
    assert len(begun["documents"]) == 1


async def test_a_referral_over_the_api_from_draft_to_close(users: Users) -> None:
    await users.begin()
    await users.consent()
    way = [
        ("doctor.huangpu", "submit", None),
        ("coordinator.main", "take", None),
        ("coordinator.main", "accept", {"department": "0101"}),
        (
            "coordinator.main",
            "book",
            {"slot_start": "2027-01-04T09:00:00+08:00", "slot_end": "2027-01-04T09:30:00+08:00"},
        ),
        ("patient.demo", "confirm", None),
        ("doctor.main", "arrive", None),
        ("doctor.main", "begin_care", None),
        ("doctor.main", "return_outcome", {"note": "已行 PCI"}),
        ("doctor.huangpu", "close", None),
    ]
    for user, step, body in way:
        answer = await users.step(user, step, body)
        assert answer.status_code == 200, (step, answer.text)
    shown = (await users.ask("doctor.huangpu", "GET", f"/{users.id}")).json()
    assert (shown["state"], shown["outcome"], shown["open_steps"]) == ("closed", "已行 PCI", ["reopen"])
    assert [event["step"] for event in shown["events"]] == [step for _, step, _ in way]


async def test_a_step_that_is_not_open_is_answered_by_the_state_and_what_is(users: Users) -> None:
    await users.begin()
    answer = await users.step("doctor.huangpu", "close")
    problem = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (409, "application/problem+json")
    assert (problem["type"], problem["state"]) == ("urn:yilian:problem:not-from-this-state", "draft")
    assert "草稿" in problem["detail_zh"]
    missing = (await users.step("doctor.huangpu", "submit")).json()
    assert (missing["status"], missing["missing"]) == (409, ["consent"])
    assert set(missing["open_steps"]) == {"submit", "discard", "delegate"}
    draft = await users.step("doctor.main", "submit")
    assert draft.status_code == 403
    await users.consent()
    await users.step("doctor.huangpu", "submit")
    others = await users.step("coordinator.huangpu", "take")
    assert (others.status_code, others.json()["type"]) == (403, "urn:yilian:problem:not-yours")


async def test_a_slot_that_somebody_else_has_is_answered_by_how_it_stands(
    users: Users, engine: sa.Engine
) -> None:
    start = datetime.now(UTC) + timedelta(days=3)
    with engine.begin() as connection:
        clinic = resources.add(connection, "MAIN", "clinic", "心内科门诊", by="coordinator.main")
        times = [(start, start + timedelta(minutes=30))]
        (slot,) = resources.publish(connection, clinic.id, times, by="coordinator.main")
        wants = [Want(slot.id, "consultation-1:room")]
        booking.hold(connection, wants, subject="consultation-1", by="x", length=timedelta(hours=1))
    await users.begin()
    await users.consent()
    for user, step, body in (
        ("doctor.huangpu", "submit", None),
        ("coordinator.main", "take", None),
        ("coordinator.main", "accept", {"department": "0101"}),
    ):
        assert (await users.step(user, step, body)).status_code == 200
    refused_ = await users.step("coordinator.main", "book", {"slot_id": str(slot.id)})
    problem = refused_.json()
    assert (refused_.status_code, problem["type"]) == (409, "urn:yilian:problem:slot-taken")
    assert (problem["state"], problem["current"]["state"]) == ("accepted", "held")
    assert "book" in problem["open_steps"]
    with engine.begin() as connection:
        booking.release(connection, "consultation-1:room", by="x")
    booked = await users.step("coordinator.main", "book", {"slot_id": str(slot.id)})
    assert (booked.status_code, booked.json()["state"]) == (200, "booked")


async def test_the_same_key_takes_the_step_once(users: Users, engine: sa.Engine) -> None:
    await users.begin()
    await users.consent()
    first = await users.step("doctor.huangpu", "submit", key="k")
    again = await users.step("doctor.huangpu", "submit", key="k")
    assert (first.status_code, again.json()) == (200, first.json())
    again = await users.ask("doctor.huangpu", "POST", "", BEGIN, "begin")
    assert again.json()["id"] == users.id
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM referral.referral")).scalar_one() == 1
        outbox = sa.text("SELECT dedupe_key FROM bus.outbox WHERE destination = 'workflow'")
        assert f"referral:{users.id}" in connection.execute(outbox).scalars().all()


async def test_a_hospital_with_no_part_in_it_sees_nothing_of_it(users: Users) -> None:
    await users.begin()
    for method, path in (("GET", ""), ("GET", "/messages"), ("POST", "/steps/take")):
        answer = await users.ask("coordinator.huiya", method, f"/{users.id}{path}")
        assert answer.status_code == 403, path
    page = (await users.ask("coordinator.huiya", "GET", "")).json()
    assert page == {"items": [], "next": None}


async def test_worklists_are_of_the_role_and_hospital_whose_turn_it_is(users: Users) -> None:
    await users.begin()
    await users.consent()
    await users.step("doctor.huangpu", "submit")
    (one,) = (await users.ask("coordinator.main", "GET", "/worklists")).json()
    assert (one["state"], one["title_zh"], one["count"]) == ("submitted", "已提交", 1)
    assert "take" in one["steps"]
    listed = (await users.ask("coordinator.main", "GET", "/worklist")).json()
    assert [item["id"] for item in listed] == [users.id]
    for user in ("doctor.main", "coordinator.huangpu"):
        assert (await users.ask(user, "GET", "/worklists")).json() == []


async def test_a_hospital_with_approvals_sees_who_approved_when(users: Users) -> None:
    form = {"name": "李四", "sex": "female", "birth_date": "1990-03-07", "reason": "x"}
    body = BEGIN | {"encounter": None, "form": form | {"preliminary_diagnosis": "y"}}
    begun = (await users.ask("doctor.huiya", "POST", "", body, "begin")).json()
    users.id = begun["id"]
    assert [(one["code"], one["username"]) for one in begun["approvals"]] == [
        ("applicant", None),
        ("medical_affairs", None),
    ]
    assert (await users.step("coordinator.huiya", "approve")).status_code == 403
    assert (await users.step("doctor.huiya", "approve")).status_code == 200
    (waiting,) = (await users.ask("coordinator.huiya", "GET", "/approvals")).json()
    assert waiting["id"] == users.id
    assert (await users.ask("coordinator.main", "GET", "/approvals")).json() == []
    given = {"given": True}
    assert (await users.ask("doctor.huiya", "POST", f"/{users.id}/consent", given, "c")).status_code == 204
    refused_ = (await users.step("doctor.huiya", "submit")).json()
    assert (refused_["status"], refused_["missing"]) == (409, ["approval"])
    assert (await users.step("coordinator.huiya", "approve")).status_code == 200
    assert (await users.step("doctor.huiya", "submit")).status_code == 200
    shown = (await users.ask("doctor.huiya", "GET", f"/{users.id}")).json()
    assert [one["username"] for one in shown["approvals"]] == ["doctor.huiya", "coordinator.huiya"]
    assert all(one["at"] for one in shown["approvals"])


async def test_both_sides_write_to_each_other_and_the_patient_does_not_read_it(users: Users) -> None:
    await users.begin()
    await users.consent()
    await users.step("doctor.huangpu", "submit")
    path = f"/{users.id}/messages"
    await users.ask("doctor.huangpu", "POST", path, {"body": "请尽快"}, "m1")
    await users.ask("doctor.huangpu", "POST", path, {"body": "请尽快"}, "m1")
    await users.ask("coordinator.main", "POST", path, {"body": "收到"}, "m2")
    thread = (await users.ask("coordinator.main", "GET", path)).json()
    assert [(one["party"], one["body"]) for one in thread] == [
        ("sending_doctor", "请尽快"),
        ("receiving_coordinator", "收到"),
    ]
    assert (await users.ask("patient.demo", "GET", path)).status_code == 403


async def test_patients_see_their_own(users: Users) -> None:
    await users.begin()
    page = (await users.ask("patient.demo", "GET", "")).json()
    assert [item["id"] for item in page["items"]] == [users.id]
    assert (await users.ask("patient.demo", "GET", f"/{users.id}")).status_code == 200


async def test_the_criteria_are_checked_against_what_both_hospitals_can_do(users: Users) -> None:
    await users.begin(form={"reason": "需急诊介入", "requires": ["pci"]})
    checked = (await users.ask("doctor.huangpu", "GET", f"/{users.id}/criteria")).json()
    by_code = {one["code"]: (one["verdict"], one["claimed"]) for one in checked}
    assert by_code == {
        "critical": ("met", False),
        "mass_casualty": ("not_told", False),
        "beyond_scope": ("not_told", False),
        "lacking_technique": ("met", True),
    }
    assert "接收医院具备" in checked[3]["reason_zh"]


async def test_the_form_is_changed_by_the_sender_alone_and_never_over_another_change(users: Users) -> None:
    begun = await users.begin()
    change = {"version": 1, "form": begun["form"] | {"history": "糖尿病十年"}, "criteria": ["critical"]}
    path = f"/{users.id}/form"
    assert (await users.ask("doctor.main", "PUT", path, change)).status_code == 403
    assert (await users.ask("doctor.huangpu", "PUT", path, change)).status_code == 204
    assert (await users.ask("doctor.huangpu", "PUT", path, change)).status_code == 409
    shown = (await users.ask("doctor.huangpu", "GET", f"/{users.id}")).json()
    assert (shown["form"]["history"], shown["form_version"]) == ("糖尿病十年", 2)


async def test_a_number_that_the_hospital_does_not_know_is_refused(users: Users) -> None:
    answer = await users.ask("doctor.huangpu", "POST", "", BEGIN | {"encounter": "V-MAIN"}, "begin")
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:yilian:problem:unknown-visit")


async def test_a_hospital_that_is_not_integrated_applies_by_form(users: Users) -> None:
    form = {"name": "李四", "sex": "female", "birth_date": "1990-03-07", "reason": "x"}
    begun = await users.begin(encounter=None, form=form)
    assert (begun["person_id"], begun["missing"]) == (None, ["preliminary_diagnosis"])


async def test_figures_are_for_coordinators_and_managers_of_their_hospital(users: Users) -> None:
    await users.begin()
    await users.consent()
    for user, step, body in (
        ("doctor.huangpu", "submit", None),
        ("coordinator.main", "take", None),
        ("coordinator.main", "accept", {"department": "0101"}),
    ):
        await users.step(user, step, body)
    path = "/figures?since=2020-01-01T00:00:00Z&before=2100-01-01T00:00:00Z"
    for user in ("coordinator.main", "manager.huangpu", "manager.group"):
        found = (await users.ask(user, "GET", path)).json()
        assert (found["begun"], found["acceptance"], found["closed_loops"]) == (1, 1.0, 0.0), user
        assert found["reasons"] == {"lacking_technique": 1}
        assert set(found["time_in_state"]) == {"draft", "submitted", "under_review"}
    huiya = (await users.ask("coordinator.huiya", "GET", path)).json()
    assert (huiya["begun"], huiya["acceptance"]) == (0, None)
    assert (await users.ask("coordinator.huiya", "GET", f"{path}&facility=HP")).status_code == 403
    assert (await users.ask("doctor.main", "GET", path)).status_code == 403


async def test_criteria_belong_to_the_direction(users: Users) -> None:
    answer = await users.ask("doctor.huangpu", "POST", "", BEGIN | {"criteria": ["hospice"]}, "begin")
    assert answer.status_code == 422


async def test_a_patient_answers_by_the_link_of_the_notification(
    users: Users, client: httpx.AsyncClient, engine: sa.Engine
) -> None:
    await users.begin()
    await users.consent()
    for user, step, body in (
        ("doctor.huangpu", "submit", None),
        ("coordinator.main", "take", None),
        ("coordinator.main", "accept", {"department": "0101"}),
        ("coordinator.main", "book", times_from(datetime.now(UTC) + timedelta(days=2))),
    ):
        assert (await users.step(user, step, body)).status_code == 200
    first = told_link(engine)
    page = await client.get(first)
    assert page.status_code == 200
    assert "院本部" in page.text
    assert "王珅" not in page.text
    assert (await client.post(f"{first}/confirm")).status_code == 200
    assert (await client.post(f"{first}/confirm")).status_code == 200
    moved = times_from(datetime.now(UTC) + timedelta(days=3))
    assert (await users.step("coordinator.main", "reschedule", moved)).status_code == 200
    assert (await client.get(first)).status_code == 410
    assert (await client.post(f"{first}/decline")).status_code == 410
    second = told_link(engine)
    changed = second[:-1] + ("A" if second[-1] != "A" else "B")
    assert (await client.post(f"{changed}/decline")).status_code == 410
    declined = await client.post(f"{second}/decline")
    assert "另行通知" in declined.text
    assert (await client.get(second)).status_code == 410
    shown = (await users.ask("doctor.huangpu", "GET", f"/{users.id}")).json()
    assert shown["state"] == "awaiting_slot"
    taken = [(one["step"], one["party"], one["username"]) for one in shown["events"]]
    assert taken.count(("confirm", "patient", "patient-link")) == 1
    assert taken[-1] == ("decline", "patient", "patient-link")


def times_from(start: datetime) -> dict[str, str]:
    return {"slot_start": start.isoformat(), "slot_end": (start + timedelta(minutes=30)).isoformat()}


def told_link(engine: sa.Engine) -> str:
    """The path of the newest link that the patient was told."""
    newest = sa.text(
        "SELECT variables ->> 'link' FROM workflow.notification WHERE template = 'patient-appointment'"
        " ORDER BY id DESC LIMIT 1"
    )
    with engine.connect() as connection:
        link: str = connection.execute(newest).scalar_one()
    assert link.startswith("http://127.0.0.1:8080/r/")
    return link.removeprefix("http://127.0.0.1:8080")
