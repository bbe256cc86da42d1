"""Replays of many and edited messages, over the API."""

from __future__ import annotations

import base64

import httpx
import pytest
import sqlalchemy as sa

from bus.inbox import Inbox
from bus.replay import run
from tests.integration.api.conftest import As
from tests.integration.api.test_messages import BODY, PATH, arrival, hold, newest

KEY = "a routing key for tests"


@pytest.fixture
async def held(seeded_url: str, engine: sa.Engine) -> list[str]:
    """Two messages held for one reason, of two campuses."""
    async with Inbox(seeded_url, KEY) as inbox:
        ids = [(await inbox.accept(arrival(c, f))).id for c, f in (("7", "MAIN"), ("8", "HP"))]
    for id_ in ids:
        hold(engine, str(id_))
    return [str(id_) for id_ in ids]


async def test_many_are_counted_then_let_go_and_that_is_audited(
    client: httpx.AsyncClient, as_: As, held: list[str], engine: sa.Engine
) -> None:
    filters = {"code": "unmapped_code"}
    dry = await client.post(f"{PATH}/replay", json={"filters": filters, "dry_run": True}, headers=as_("ops"))
    assert (dry.status_code, dry.json()["by_code"]) == (200, {"unmapped_code": 2})
    silent = await client.post(f"{PATH}/replay", json={"filters": filters}, headers=as_("ops"))
    assert silent.status_code == 422
    request = {"filters": filters, "reason": "代码表已补齐"}
    headers = as_("ops") | {"Idempotency-Key": "k1"}
    begun = await client.post(f"{PATH}/replay", json=request, headers=headers)
    assert (begun.status_code, begun.json()["state"], begun.json()["total"]) == (202, "running", 2)
    assert newest(engine)[:2] == ("message.replay", "allowed")
    again = await client.post(f"{PATH}/replay", json=request, headers=headers)
    assert again.json()["id"] == begun.json()["id"]
    other = await client.post(f"{PATH}/replay", json=request | {"reason": "x"}, headers=headers)
    assert other.status_code == 409
    assert [list(page) for page in run.drive(engine, begun.json()["id"], KEY)] == [[*map(int, held)]]
    shown = (await client.get(f"{PATH}/replays/{begun.json()['id']}", headers=as_("ops"))).json()
    assert (shown["state"], shown["done"], shown["by"]) == ("done", 2, "ops")
    listed = (await client.get(f"{PATH}/replays", headers=as_("engineer"))).json()
    assert [one["id"] for one in listed] == [shown["id"]]
    way = (await client.get(f"{PATH}/{held[0]}", headers=as_("ops"))).json()
    assert [(r["by"], r["reason"], r["effect"]) for r in way["replays"]] == [
        ("ops", "代码表已补齐", "released")
    ]


async def test_a_replay_is_stopped(client: httpx.AsyncClient, as_: As, held: list[str]) -> None:
    request = {"filters": {"state": "held"}, "reason": "mended"}
    begun = (await client.post(f"{PATH}/replay", json=request, headers=as_("ops"))).json()
    stopped = await client.post(f"{PATH}/replays/{begun['id']}/stop", headers=as_("ops"))
    assert stopped.json()["state"] == "stopped"
    assert (await client.get(f"{PATH}/replays/999", headers=as_("ops"))).status_code == 404


async def test_whoever_works_for_one_campus_replays_that_campus(
    client: httpx.AsyncClient, as_: As, held: list[str], engine: sa.Engine
) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE access.account SET organisation = 'HP' WHERE username = 'ops'"))
    own = {"filters": {"state": "held"}, "dry_run": True}
    assert (await client.post(f"{PATH}/replay", json=own, headers=as_("ops"))).json()["total"] == 1
    other = {"filters": {"state": "held", "facility": "MAIN"}, "dry_run": True}
    assert (await client.post(f"{PATH}/replay", json=other, headers=as_("ops"))).status_code == 403
    everything = {"filters": {}, "reason": "all of it"}
    assert (await client.post(f"{PATH}/replay", json=everything, headers=as_("engineer"))).status_code == 400


async def test_an_edited_body_goes_in_place_of_its_original(
    client: httpx.AsyncClient, as_: As, held: list[str], engine: sa.Engine
) -> None:
    corrected = BODY.replace("王珅".encode("gb18030"), "王坤".encode("gb18030"))
    request = {"reason": "名字写错", "base64": base64.b64encode(corrected).decode()}
    refused = await client.post(f"{PATH}/{held[0]}/edit", json=request, headers=as_("ops"))
    assert refused.status_code == 403
    headers = as_("engineer") | {"Idempotency-Key": "e1"}
    made = await client.post(f"{PATH}/{held[0]}/edit", json=request, headers=headers)
    assert made.status_code == 201, made.text
    assert newest(engine)[:2] == ("message.edit", "allowed")
    again = await client.post(f"{PATH}/{held[0]}/edit", json=request, headers=headers)
    assert again.json() == made.json()
    [id_] = made.json()["ready"]
    way = (await client.get(f"{PATH}/{id_}?body=true", headers=as_("engineer"))).json()
    assert "王坤" in way["body"]
    assert [(r["original_id"], r["message_id"]) for r in way["replays"]] == [(held[0], id_)]
    original = (await client.get(f"{PATH}/{held[0]}", headers=as_("ops"))).json()
    assert original["state"] == "discarded"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"reason": "x"}, 422),
        ({"reason": "x", "text": "a", "base64": "YQ=="}, 422),
        ({"reason": "x", "base64": "*"}, 422),
        ({"reason": "x", "text": "no HL7"}, 400),
    ],
)
async def test_a_body_that_cannot_be_is_refused(
    client: httpx.AsyncClient, as_: As, held: list[str], body: dict[str, str], status: int
) -> None:
    answer = await client.post(f"{PATH}/{held[0]}/edit", json=body, headers=as_("engineer"))
    assert answer.status_code == status
