"""Onward and back down over the API, with the event that starts each workflow."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from tests.integration.api.test_referrals import Users, app, users, wang

__all__ = ["app", "users", "wang"]

DOWN = {
    "criteria": ["rehabilitation"],
    "reason": "病情稳定，转回康复",
    "discharge_summary": "PCI 术后恢复良好",
    "rehabilitation_plan": "心脏康复每周两次",
}


async def way(users: Users, *steps: tuple[str, str, Any]) -> None:
    await users.begin()
    await users.consent()
    for user, step, body in steps:
        answer = await users.step(user, step, body)
        assert answer.status_code == 200, (step, answer.text)


REVIEWED: tuple[tuple[str, str, Any], ...] = (
    ("doctor.huangpu", "submit", None),
    ("coordinator.main", "take", None),
)


def started(engine: sa.Engine) -> list[str]:
    query = sa.text("SELECT dedupe_key FROM bus.outbox WHERE dedupe_key LIKE 'referral:%' ORDER BY id")
    with engine.connect() as connection:
        return list(connection.execute(query).scalars())


async def test_onward_begins_a_linked_draft_with_a_workflow_of_its_own(
    users: Users, engine: sa.Engine
) -> None:
    onward = {"hospital": "HY", "note": "本院无空床"}
    await way(users, *REVIEWED, ("coordinator.main", "refer_onward", onward))
    first = (await users.ask("doctor.huangpu", "GET", f"/{users.id}")).json()
    (child,) = first["children"]
    assert (child["state"], child["receiving_facility"]) == ("draft", "HY")
    assert started(engine) == [f"referral:{users.id}", f"referral:{child['id']}"]
    second = (await users.ask("doctor.huangpu", "GET", f"/{child['id']}")).json()
    assert (second["parent_id"], second["consented"], second["missing"]) == (users.id, True, [])
    assert second["form"] == first["form"]
    assert (await users.ask("coordinator.main", "GET", f"/{users.id}")).json()["children"] == []
    assert (await users.ask("coordinator.main", "GET", f"/{child['id']}")).status_code == 403


async def test_the_receiver_refers_back_down_from_care(users: Users, engine: sa.Engine) -> None:
    await way(users, *REVIEWED, ("coordinator.main", "accept", {"department": "0101"}))
    path = f"/{users.id}/down"
    early = await users.ask("doctor.main", "POST", path, DOWN, "down")
    assert (early.status_code, early.json()["type"]) == (409, "urn:yilian:problem:not-from-this-state")
    for step in ("arrive", "begin_care"):
        assert (await users.step("doctor.main", step)).status_code == 200
    assert (await users.ask("doctor.huangpu", "POST", path, DOWN, "down")).status_code == 403
    first = await users.ask("doctor.main", "POST", path, DOWN, "down")
    assert first.status_code == 201, first.text
    assert (await users.ask("doctor.main", "POST", path, DOWN, "down")).json()["id"] == first.json()["id"]
    down = first.json()
    assert (down["direction"], down["sending_facility"], down["receiving_facility"]) == ("down", "MAIN", "HP")
    assert (down["parent_id"], down["missing"], down["consented"]) == (users.id, [], False)
    assert (down["form"]["name"], down["form"]["rehabilitation_plan"]) == ("王珅", "心脏康复每周两次")
    shown = (await users.ask("doctor.huangpu", "GET", f"/{users.id}")).json()
    assert [one["id"] for one in shown["children"]] == [down["id"]]
    assert f"referral:{down['id']}" in started(engine)
