"""Referrals over FHIR: Task, ServiceRequest, Appointment and Communication, for those who are a party."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest

from api.fhir.referral_parameters import CATEGORY_TEXT
from bus.fhir.resources.referral import CATEGORY
from tests.integration.api import test_referrals as referring
from tests.integration.api.conftest import As
from tests.integration.api.test_referrals import Users

app, users, wang = referring.app, referring.users, referring.wang
TIME = {"slot_start": "2027-01-04T09:00:00+08:00", "slot_end": "2027-01-04T09:30:00+08:00"}


class Fhir:
    """Asks the FHIR face."""

    def __init__(self, client: httpx.AsyncClient, as_: As) -> None:
        self._client = client
        self._as = as_

    async def ask(self, user: str, path: str, expect: int = 200) -> dict[str, Any]:
        answer = await self._client.get(f"/fhir/{path}", headers=self._as(user))
        assert answer.status_code == expect, answer.text
        told: dict[str, Any] = answer.json()
        return told

    async def ids(self, user: str, path: str) -> list[str]:
        found = await self.ask(user, path)
        return [entry["resource"]["id"] for entry in found.get("entry", ())]


@pytest.fixture
def fhir(client: httpx.AsyncClient, as_: As) -> Fhir:
    return Fhir(client, as_)


async def submitted(users: Users) -> str:
    await users.begin()
    await users.consent()
    assert (await users.step("doctor.huangpu", "submit")).status_code == 200
    return users.id


async def test_the_task_tells_how_far_a_referral_is(users: Users, fhir: Fhir) -> None:
    id_ = await submitted(users)
    task = await fhir.ask("coordinator.main", f"Task/{id_}")
    assert (task["status"], task["businessStatus"]["text"], task["priority"]) == (
        "requested",
        "已提交",
        "urgent",
    )
    assert "period" in task["restriction"]
    await users.step("coordinator.main", "take")
    for query in (
        f"_id={id_}",
        "status=received",
        "business-status=under_review",
        f"focus=ServiceRequest/{id_}&authored-on=ge2026-01-01",
    ):
        assert await fhir.ids("coordinator.main", f"Task?{query}") == [id_], query
    for query in ("status=draft", f"_id={uuid4()}", "authored-on=lt2020-01-01", "_id=none"):
        assert await fhir.ids("coordinator.main", f"Task?{query}") == [], query


async def test_a_referral_is_a_service_request_beside_the_orders(users: Users, fhir: Fhir, wang: Any) -> None:
    id_ = await submitted(users)
    asked = await fhir.ask("doctor.main", f"ServiceRequest/{id_}")
    assert (asked["status"], asked["subject"]) == ("active", {"reference": f"Patient/{wang}"})
    assert asked["reasonCode"][0]["text"].startswith("本院不能开展")
    found = await fhir.ids("doctor.main", f"ServiceRequest?category={CATEGORY}&patient={wang}&status=active")
    assert found == [id_]
    orders = await fhir.ids("doctor.main", f"ServiceRequest?patient={wang}")
    assert id_ not in orders
    await fhir.ask("doctor.main", f"ServiceRequest?category={CATEGORY},108252007", expect=400)


async def test_its_booked_time_is_an_appointment(users: Users, fhir: Fhir) -> None:
    id_ = await submitted(users)
    asked = f"Appointment?based-on=ServiceRequest/{id_}"
    assert await fhir.ids("doctor.main", asked) == []
    await fhir.ask("doctor.main", f"Appointment/{id_}", expect=404)
    for step, body in (("take", None), ("accept", {"department": "0101"}), ("book", TIME)):
        assert (await users.step("coordinator.main", step, body)).status_code == 200, step
    assert await fhir.ids("doctor.main", asked) == [id_]
    booked = await fhir.ask("patient.demo", f"Appointment/{id_}")
    assert (booked["status"], booked["start"]) == ("booked", "2027-01-04T09:00:00+08:00")


async def test_what_both_hospitals_wrote_is_for_them_alone(users: Users, fhir: Fhir) -> None:
    id_ = await submitted(users)
    for number, user in enumerate(("doctor.huangpu", "coordinator.main")):
        await users.ask(user, "POST", f"/{id_}/messages", {"body": f"第 {number} 条"}, f"m{number}")
    asked = f"Communication?based-on=ServiceRequest/{id_}"
    first = await fhir.ask("doctor.main", f"{asked}&_count=1")
    assert first["entry"][0]["resource"]["payload"] == [{"contentString": "第 0 条"}]
    (onward,) = [link["url"] for link in first["link"] if link["relation"] == "next"]
    second = await fhir.ask("doctor.main", onward.partition("/fhir/")[2])
    assert second["entry"][0]["resource"]["sender"]["identifier"]["value"] == "MAIN"
    assert await fhir.ids("patient.demo", asked) == []
    await fhir.ask("doctor.main", "Communication", expect=400)


async def test_others_and_a_receiver_of_a_draft_find_nothing(users: Users, fhir: Fhir) -> None:
    await users.begin()
    assert await fhir.ids("coordinator.main", "Task") == []
    await fhir.ask("coordinator.main", f"Task/{users.id}", expect=404)
    assert await fhir.ids("doctor.huangpu", "Task?_summary=count") == []
    assert (await fhir.ask("doctor.huangpu", "Task?_summary=count"))["total"] == 1
    assert await fhir.ids("patient.demo", "Task") == [users.id]
    for path in (f"Task/{users.id}", f"ServiceRequest/{users.id}"):
        await fhir.ask("coordinator.huiya", path, expect=403)
    assert await fhir.ids("coordinator.huiya", "Task") == []
    for path in (f"Task/{uuid4()}", "Task/none", f"ServiceRequest/{uuid4()}"):
        await fhir.ask("doctor.main", path, expect=404)


async def test_the_capability_statement_says_so(fhir: Fhir) -> None:
    stated = await fhir.ask("doctor.main", "metadata")
    resources = {one["type"]: one for one in stated["rest"][0]["resource"]}
    assert [one["code"] for one in resources["Communication"]["interaction"]] == ["search-type"]
    assert {one["name"] for one in resources["Task"]["searchParam"]} >= {"status", "business-status", "focus"}
    texts = [one["documentation"] for one in resources["ServiceRequest"]["searchParam"]]
    assert any(CATEGORY_TEXT in text for text in texts)
