"""Notifications over the API: mine, preferences, what waits for a person, contacts and duties."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa

from bus.notifying.current import CurrentBook
from bus.notifying.running import spreading
from consortium.access import audit
from consortium.access.accounts import bind_patient
from consortium.notifications.queue import ask
from tests.conftest import CHECKOUT
from tests.integration.api.conftest import As
from tests.integration.api.test_messages import newest
from tests.integration.bus.notifying.rig import PERSON, PHONE, received

PATH = "/api/v1/notifications"
WANG = UUID("0c5e0000-0000-4000-8000-00000000000a")


@pytest.fixture
def asked(engine: sa.Engine) -> None:
    """A coordinator, a duty, and a patient are told."""
    person: dict[str, Any] = {"id": WANG, "phone": None, "deceased": None, "active": True}
    with engine.begin() as connection:
        connection.execute(PERSON, person)
        bind_patient(connection, "patient.demo", WANG)
        for notice in (
            received(),
            received(duty="referral_coordinator"),
            received(person_id=WANG),
            received("broken", values={"sender": "王小明"}),
        ):
            assert ask(connection, notice)
    spreading(engine, CurrentBook(CHECKOUT / "rules"))


async def mine(client: httpx.AsyncClient, headers: dict[str, str], query: str = "") -> dict[str, Any]:
    answer = await client.get(PATH + query, headers=headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.usefixtures("asked")
async def test_everybody_reads_what_is_for_them_and_no_more(client: httpx.AsyncClient, as_: As) -> None:
    found = await mine(client, as_("coordinator.huangpu"))
    assert (len(found["items"]), found["unread"], found["next"]) == (2, 2, None)
    broken, first = found["items"]
    assert first["title"] == "收到转诊申请 R-7"
    assert first["text"] == "院本部发来紧急转诊，请于 11月26日 09:00 前评估。"
    assert broken["text"] is None, "what cannot be said is found by its subject"
    assert "王小明" not in str(broken)
    english = await mine(client, as_("coordinator.huangpu"), "?language=en&limit=1")
    assert english["next"] == broken["id"]
    older = await mine(client, as_("coordinator.huangpu"), f"?language=en&before={broken['id']}")
    assert older["items"][0]["title"] == "Referral R-7"
    assert (await mine(client, as_("coordinator.main")))["items"] == []
    patient = await mine(client, as_("patient.demo"))
    assert [one["duty"] for one in patient["items"]] == ["patient"]
    assert (await client.get(PATH, headers=as_("system.huangpu"))).status_code == 403


@pytest.mark.usefixtures("asked")
async def test_reading_is_noted_once_and_for_ones_own_alone(client: httpx.AsyncClient, as_: As) -> None:
    one = (await mine(client, as_("coordinator.huangpu")))["items"][-1]["id"]
    assert (await client.post(f"{PATH}/{one}/read", headers=as_("coordinator.main"))).status_code == 404
    read = await client.post(f"{PATH}/{one}/read", headers=as_("coordinator.huangpu"))
    assert (read.status_code, read.json()["read_by"]) == (200, "coordinator.huangpu")
    again = await client.post(f"{PATH}/{one}/read", headers=as_("coordinator.huangpu"))
    assert again.json()["read_at"] == read.json()["read_at"]
    left = await mine(client, as_("coordinator.huangpu"), "?unread=true")
    assert (len(left["items"]), left["unread"]) == (1, 1)


@pytest.mark.usefixtures("asked")
async def test_a_duty_is_given_and_taken_by_administrators(
    client: httpx.AsyncClient, as_: As, engine: sa.Engine
) -> None:
    duty = f"{PATH}/duties/HP/referral_coordinator"
    whom = f"{duty}/doctor.huangpu"
    assert (await client.put(whom, headers=as_("coordinator.huangpu"))).status_code == 403
    assert (await client.put(f"{duty}/nobody", headers=as_("admin"))).status_code == 404
    assert (await client.put(f"{duty}/patient.demo", headers=as_("admin"))).status_code == 404
    given = await client.put(whom, headers=as_("admin"))
    assert given.json()["usernames"] == ["doctor.huangpu"]
    assert newest(engine)[:2] == ("contact.write", "allowed")
    found = await mine(client, as_("doctor.huangpu"))
    assert [one["duty"] for one in found["items"]] == ["referral_coordinator"]
    assert (await client.delete(whom, headers=as_("admin"))).json()["usernames"] == []
    assert (await client.delete(whom, headers=as_("admin"))).status_code == 404
    assert (await mine(client, as_("doctor.huangpu")))["items"] == []


async def test_an_address_is_kept_and_never_shown(
    client: httpx.AsyncClient, as_: As, engine: sa.Engine
) -> None:
    path = f"{PATH}/contacts/coordinator.huangpu"
    assert (await client.put(path, json={"phone": "王"}, headers=as_("admin"))).status_code == 422
    assert (await client.put(path, json={"phone": PHONE}, headers=as_("ops"))).status_code == 403
    kept = await client.put(path, json={"phone": PHONE, "language": "en"}, headers=as_("admin"))
    assert (kept.status_code, kept.content) == (204, b"")
    with engine.begin() as connection:
        assert connection.execute(sa.text("SELECT phone FROM workflow.contact")).scalar_one() == PHONE
        assert PHONE not in str(audit.entries(connection, limit=100))


async def test_preferences_are_ones_own(client: httpx.AsyncClient, as_: As) -> None:
    path, who = f"{PATH}/preferences", as_("coordinator.huangpu")
    usual = (await client.get(path, headers=who)).json()
    assert usual == {"language": "zh", "channels": None, "quiet_from": None, "quiet_until": None}
    wanted = {"language": "en", "channels": ["sms"], "quiet_from": "22:00:00", "quiet_until": "07:00:00"}
    assert (await client.put(path, json=wanted, headers=who)).json() == wanted
    assert (await client.get(path, headers=who)).json() == wanted
    half = await client.put(path, json={"quiet_from": "22:00"}, headers=who)
    assert (half.status_code, half.json()["type"]) == (422, "urn:yilian:problem:quiet-hours")
    assert (await client.get(path, headers=as_("patient.demo"))).status_code == 403, "bound to nobody yet"


@pytest.mark.usefixtures("asked")
async def test_ops_see_and_decide_what_waits_for_a_person(
    client: httpx.AsyncClient, as_: As, engine: sa.Engine
) -> None:
    path = f"{PATH}/dispatches"
    found = (await client.get(path, headers=as_("ops"))).json()["items"]
    assert [(one["code"], one["party"]) for one in found] == [
        ("no_address", f"person:{WANG}"),
        ("nobody_on_duty", "duty:HP/referral_coordinator"),
    ]
    assert newest(engine)[:2] == ("dispatch.read", "allowed")
    assert (await client.get(f"{path}?facility=MAIN", headers=as_("ops"))).json()["items"] == []
    assert (await client.get(path, headers=as_("coordinator.huangpu"))).status_code == 403
    one = f"{path}/{found[0]['id']}"
    assert (await client.post(f"{one}/discard", json={"why": "x"}, headers=as_("admin"))).status_code == 403
    assert (await client.post(f"{one}/discard", json={}, headers=as_("ops"))).status_code == 422
    done = await client.post(f"{one}/discard", json={"why": "已电话通知本人"}, headers=as_("ops"))
    assert (done.status_code, done.json()["state"], done.json()["decided_by"]) == (200, "discarded", "ops")
    assert newest(engine)[:2] == ("dispatch.decide", "allowed")
    again = await client.post(f"{one}/resend", json={"why": "x"}, headers=as_("ops"))
    assert again.status_code == 409
    resent = await client.post(
        f"{path}/{found[1]['id']}/resend", json={"why": "已排班"}, headers=as_("engineer")
    )
    assert resent.json()["state"] == "queued"
    assert (await client.post(f"{path}/99/resend", json={"why": "x"}, headers=as_("ops"))).status_code == 404


@pytest.mark.usefixtures("asked")
async def test_what_waits_is_counted_for_scrapers(client: httpx.AsyncClient, as_: As) -> None:
    answer = await client.get("/metrics", headers=as_("ops"))
    assert 'yilian_notifications_stuck{channel="sms"} 2.0' in answer.text
    assert 'yilian_notifications{channel="sms",state="parked"} 2.0' in answer.text
