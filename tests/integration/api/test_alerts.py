"""Alerts over the API."""

from __future__ import annotations

import httpx
import sqlalchemy as sa

from bus.alerts import store
from bus.alerts.conditions import Reading
from tests.integration.api.conftest import As
from tests.integration.api.test_messages import newest

PATH = "/api/v1/alerts"


async def test_an_alert_is_listed_and_taken_care_of(
    client: httpx.AsyncClient, as_: As, engine: sa.Engine
) -> None:
    with engine.begin() as connection:
        raised, _ = store.settle(connection, [Reading("disk", "", 0.95, 0.9, "make room")], [])
    listed = (await client.get(PATH, headers=as_("engineer"))).json()
    assert [(one["id"], one["name"]) for one in listed["items"]] == [(raised[0], "disk")]
    take = f"{PATH}/{raised[0]}/acknowledge"
    assert (await client.post(take, headers=as_("admin"))).status_code == 403
    taken = await client.post(take, json={"note": "正在清理"}, headers=as_("ops"))
    assert (taken.json()["acknowledged_by"], taken.json()["note"]) == ("ops", "正在清理")
    assert newest(engine)[:2] == ("alert.acknowledge", "allowed")
    assert (await client.post(take, headers=as_("engineer"))).status_code == 409
    assert (await client.post(f"{PATH}/999/acknowledge", headers=as_("ops"))).status_code == 404
    with engine.begin() as connection:
        store.settle(connection, [], [])
    assert (await client.get(PATH, headers=as_("ops"))).json()["items"] == []
    every = (await client.get(f"{PATH}?every=true", headers=as_("ops"))).json()["items"]
    assert every[0]["cleared_at"] is not None
