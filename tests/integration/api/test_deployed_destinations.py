"""What is deployed says where messages go and in which shape: over the API, through router and delivery."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import sqlalchemy as sa

from bus.delivery.rows import Rows
from bus.pix.notices.running import Told
from bus.router.effects import Services
from bus.router.router import Router
from bus.rules.versions import service, store
from bus.rules.versions.destinations import CurrentDestinations
from bus.rules.versions.shelf import Shelf
from tests.contract.outbound.http_harness import plain
from tests.contract.outbound.http_receiver import Server
from tests.integration.api.conftest import As
from tests.integration.bus.clinic import lab, rows
from tests.integration.bus.clinic import store as arrived
from tests.integration.bus.delivery.process import SECRET, delivery, destinations
from tests.integration.bus.delivery.queue import enqueue, messages, mllp, states, until
from tests.integration.bus.delivery.receivers import MllpReceiver
from tests.integration.bus.delivery.rulebook import WARD
from tests.integration.bus.rules.sets import numbered

PATH = "/api/v1/rules"
PORTAL = """
name: portal
description: a portal
facility: GROUP
kind: rest
address: {url}/in
order: none
body: {{said: {{const: {said}}}, control: MSH-10}}
"""
TO = "destinations: [{}]\ntests:"


def rule_set(*to: str, **files: str) -> dict[str, bytes]:
    """Return a set whose lab reports go `to` destinations, and the files of those."""
    found = numbered(1)
    rule = found["campuses/main/lab.yaml"].decode()
    if to:
        rule = rule.replace("tests:", TO.format(", ".join(to)), 1)
    found["campuses/main/lab.yaml"] = rule.encode()
    return found | {f"destinations/{name}.yaml": text.encode() for name, text in files.items()}


async def deploy(client: httpx.AsyncClient, headers: Mapping[str, str], files: Mapping[str, bytes]) -> None:
    """Deploy a set over the API."""
    body = {"files": {path: content.decode() for path, content in files.items()}}
    answer = await client.post(PATH, json=body, headers=dict(headers))
    assert (answer.status_code, answer.json().get("changed")) == (200, True), answer.text


@asynccontextmanager
async def portal() -> AsyncIterator[tuple[str, list[Any]]]:
    """A receiver: its address and what it got."""
    server = Server(plain)
    try:
        yield server.start(), server.requests
    finally:
        server.stop()


async def test_a_set_deployed_over_the_api_is_delivered_to_its_new_destination(
    client: httpx.AsyncClient, as_: As, engine: sa.Engine, seeded_url: str, tmp_path: Path
) -> None:
    headers = as_("engineer")
    await deploy(client, headers, rule_set())
    async with portal() as (url, got), delivery(seeded_url, destinations(tmp_path), tmp_path, **SECRET):
        await until(lambda: rows(seeded_url, "SELECT 1 FROM bus.heartbeat WHERE name = 'delivery'"), 60)
        await deploy(client, headers, rule_set("portal", portal=PORTAL.format(url=url, said="new")))
        shelf = Shelf(engine)
        shelf.open()
        Router(engine, shelf, Services()).answer(arrived(seeded_url, lab()))
        await until(lambda: states(seeded_url, "portal") == ["delivered"], 60)
        assert [json.loads(one.body)["said"] for one in got] == ["new"]
    items = (await client.get("/api/v1/destinations", headers=as_("ops"))).json()["items"]
    assert [(one["name"], one["kind"], one["address"]) for one in items] == [("portal", "rest", f"{url}/in")]


async def test_an_edited_checkout_changes_nothing_until_it_is_deployed(
    client: httpx.AsyncClient, as_: As, engine: sa.Engine, seeded_url: str, tmp_path: Path
) -> None:
    headers = as_("engineer")
    async with MllpReceiver() as ward, MllpReceiver() as elsewhere, portal() as (url, got):
        kept = {"ward": WARD.format(port=ward.port)}
        await deploy(client, headers, rule_set("ward", **kept))
        async with delivery(seeded_url, destinations(tmp_path, **kept), tmp_path, **SECRET):
            enqueue(seeded_url, "ward", *messages(1))
            await until(lambda: states(seeded_url) == ["delivered"], 60)
            edited = WARD.format(port=elsewhere.port)
            destinations(tmp_path, ward=edited, other=WARD.replace("ward", "other").format(port=9))
            # A set is taken in after the edit: what is looked at by then is looked at.
            one_more = {"portal": PORTAL.format(url=url, said="x")}
            await deploy(client, headers, rule_set("ward", **kept, **one_more))
            enqueue(seeded_url, "portal", *messages(1, start=20))
            await until(lambda: states(seeded_url, "portal") == ["delivered"], 60)
            enqueue(seeded_url, "ward", *messages(1, start=2))
            enqueue(seeded_url, "other", *messages(1, start=30))
            await until(lambda: states(seeded_url) == ["delivered"] * 2, 60)
            assert (ward.got, elsewhere.got, len(got)) == (["P1-1", "P1-2"], [], 1)
            assert states(seeded_url, "other") == ["queued"]
            with engine.connect() as connection:
                known = CurrentDestinations(tmp_path).get(connection)
            assert {name: one.address for name, one in known.items()} == {
                "ward": f"127.0.0.1:{ward.port}",
                "portal": f"{url}/in",
            }
            await deploy(client, headers, rule_set("ward", ward=edited))
            enqueue(seeded_url, "ward", *messages(1, start=3))
            await until(lambda: states(seeded_url) == ["delivered"] * 3, 60)
        assert (ward.got, elsewhere.got) == (["P1-1", "P1-2"], ["P1-3"])


async def test_a_rollback_brings_the_old_shape_back(
    client: httpx.AsyncClient, as_: As, seeded_url: str, tmp_path: Path
) -> None:
    headers = as_("engineer")

    def said() -> list[str]:
        return [json.loads(one.body)["said"] for one in got]

    async with portal() as (url, got):
        for text in ("old", "new"):
            await deploy(client, headers, rule_set("portal", portal=PORTAL.format(url=url, said=text)))
        async with delivery(seeded_url, destinations(tmp_path), tmp_path, **SECRET):
            enqueue(seeded_url, "portal", *messages(1))
            await until(lambda: states(seeded_url, "portal") == ["delivered"], 60)
            answer = await client.post(f"{PATH}/rollback", json={}, headers=headers)
            assert answer.status_code == 200, answer.text
            enqueue(seeded_url, "portal", *messages(3, start=2))
            await until(lambda: states(seeded_url, "portal") == ["delivered"] * 4, 60)
            assert said() == ["new", "old", "old", "old"], "queued after it: none went out in the other shape"


async def test_a_line_of_an_earlier_set_takes_no_message_any_more(engine: sa.Engine, seeded_url: str) -> None:
    for number in (1, 2):
        service.deploy(engine, numbered(number), "chen")
    with engine.connect() as connection:
        active = store.active(connection)
        before = store.named(connection, "previous")
    enqueue(seeded_url, "ward", *messages(1))
    async with await psycopg.AsyncConnection.connect(seeded_url, autocommit=True) as connected:
        rows_of_ward = Rows(connected, mllp(9))
        assert await rows_of_ward.claim(10, None, before) == []
        assert len(await rows_of_ward.claim(10, None, active)) == 1


@pytest.mark.parametrize("deployed", [True, False])
def test_notices_of_links_go_to_those_that_are_deployed(
    engine: sa.Engine, tmp_path: Path, deployed: bool
) -> None:
    told = WARD.format(port=9) + "pix: {domains: [HP]}\n"
    if deployed:
        service.deploy(engine, rule_set(ward=told), "chen")
        destinations(tmp_path, other=told.replace("ward", "other"))
    else:
        destinations(tmp_path, ward=told)
    assert [one.name for one in Told(engine, tmp_path).found()] == ["ward"]


def test_without_destinations_a_deployed_set_has_none_though_the_checkout_has(
    engine: sa.Engine, tmp_path: Path
) -> None:
    folder = destinations(tmp_path, ward=WARD.format(port=9))
    known = CurrentDestinations(folder)
    with engine.connect() as connection:
        assert list(known.get(connection)) == ["ward"]
    service.deploy(engine, numbered(1), "chen")
    with engine.connect() as connection:
        assert known.get(connection) == {}
