"""Destinations over the API: who may see, pause and decide, and what goes into the audit."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from api.app import create_app
from consortium.access import audit
from tests.integration.api.conftest import As, settings_for
from tests.integration.api.records import everything
from tests.integration.bus.delivery.queue import enqueue, messages, states
from tests.integration.bus.delivery.rulebook import HOOK, WARD

PATH = "/api/v1/destinations"
WHY = {"why": "病区系统升级"}


@pytest.fixture
def app(seeded_url: str, tmp_path: Path) -> Iterator[FastAPI]:
    """An application with two destinations: one of Huangpu, one of the group."""
    (tmp_path / "destinations").mkdir()
    (tmp_path / "destinations" / "ward.yaml").write_text(WARD.format(port=2576))
    (tmp_path / "destinations" / "hook.yaml").write_text(HOOK.format(port=8443))
    application = create_app(settings_for(seeded_url).model_copy(update={"rules_dir": tmp_path}))
    yield application
    application.state.platform.engine.dispose()


@pytest.fixture
def parked(seeded_url: str, engine: sa.Engine) -> int:
    """One parked delivery to the ward, with an answer; two queued ones, of which one stands behind it."""
    [first, *_] = enqueue(seeded_url, "ward", *messages(3, patients=2))
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "UPDATE bus.delivery SET state = 'parked', code = 'AR', answer = convert_to('王珅', 'UTF8'),"
                " sent_at = queued_at + interval '5 s', answered_at = queued_at + interval '7 s'"
                " WHERE id = :id"
            ),
            {"id": first},
        )
    return first


def of_campus(engine: sa.Engine, username: str, campus: str) -> None:
    with engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE access.account SET organisation = :campus WHERE username = :username"),
            {"campus": campus, "username": username},
        )


def newest(engine: sa.Engine) -> audit.Entry:
    with engine.connect() as connection:
        return audit.entries(connection, limit=1)[0].entry


async def test_all_destinations_are_listed_for_the_groups_people(
    client: httpx.AsyncClient, as_: As, parked: int
) -> None:
    items = (await client.get(PATH, headers=as_("ops"))).json()["items"]
    assert [(i["name"], i["mode"], i["breaker"], i["counts"]) for i in items] == [
        ("hook", "running", None, {}),
        ("ward", "running", None, {"parked": 1, "queued": 2}),
    ]
    one = (await client.get(f"{PATH}/ward", headers=as_("ops"))).json()
    assert (one["facility"], one["address"]) == ("HP", "127.0.0.1:2576")


async def test_an_engineer_of_a_campus_sees_and_manages_its_own_alone(
    client: httpx.AsyncClient, as_: As, engine: sa.Engine
) -> None:
    of_campus(engine, "engineer", "HP")
    items = (await client.get(PATH, headers=as_("engineer"))).json()["items"]
    assert [item["name"] for item in items] == ["ward"]
    assert (await client.get(f"{PATH}/hook", headers=as_("engineer"))).status_code == 403
    paused = await client.post(f"{PATH}/hook/pause", json=WHY, headers=as_("engineer"))
    assert (paused.status_code, newest(engine).outcome) == (403, "refused")
    paused = await client.post(f"{PATH}/ward/pause", json=WHY, headers=as_("engineer"))
    assert (paused.status_code, paused.json()["mode"]) == (200, "paused")


async def test_pausing_draining_and_resuming_are_recorded_with_who_and_why(
    client: httpx.AsyncClient, as_: As, engine: sa.Engine
) -> None:
    for verb, mode in (("pause", "paused"), ("drain", "draining"), ("resume", "running")):
        answer = await client.post(f"{PATH}/ward/{verb}", json=WHY, headers=as_("ops"))
        assert answer.status_code == 200
        shown = answer.json()
        assert (shown["mode"], shown["changed_by"], shown["why"]) == (mode, "ops", WHY["why"])
        noted = newest(engine)
        assert (noted.action, noted.resource, noted.username) == (
            "destination.manage", "destination ward", "ops"
        )  # fmt: skip
        assert noted.reason == f"{mode}: {WHY['why']}"


async def test_without_a_reason_nothing_is_changed(client: httpx.AsyncClient, as_: As, parked: int) -> None:
    for path in ("ward/pause", f"ward/deliveries/{parked}/resend"):
        for body in ({}, {"why": ""}):
            answer = await client.post(f"{PATH}/{path}", json=body, headers=as_("ops"))
            assert answer.status_code == 422
            assert answer.headers["content-type"] == "application/problem+json"
    assert (await client.get(f"{PATH}/ward", headers=as_("ops"))).json()["mode"] == "running"


async def test_what_is_stuck_is_listed_and_decided_once(
    client: httpx.AsyncClient, as_: As, parked: int, engine: sa.Engine, seeded_url: str
) -> None:
    person = everything(engine, "MAIN", "M1", 0)
    page = (await client.get(f"{PATH}/ward/deliveries", headers=as_("ops"))).json()
    assert [(i["id"], i["state"], i["code"]) for i in page["items"]] == [(parked, "parked", "AR")]
    answer = await client.post(f"{PATH}/ward/deliveries/{parked}/resend", json=WHY, headers=as_("ops"))
    assert (answer.json()["state"], answer.json()["decided_by"]) == ("queued", "ops")
    assert states(seeded_url) == ["queued"] * 3
    noted = newest(engine)
    assert (noted.action, list(noted.persons)) == ("delivery.decide", [UUID(str(person))])
    again = await client.post(f"{PATH}/ward/deliveries/{parked}/discard", json=WHY, headers=as_("ops"))
    assert (again.status_code, again.json()["type"]) == (409, "urn:yilian:problem:conflict")


async def test_a_page_ends_where_the_next_begins(client: httpx.AsyncClient, as_: As, parked: int) -> None:
    first = (await client.get(f"{PATH}/ward/deliveries?state=queued&limit=1", headers=as_("ops"))).json()
    address = f"{PATH}/ward/deliveries?state=queued&limit=1&after={first['next']}"
    second = (await client.get(address, headers=as_("ops"))).json()
    assert first["items"][0]["id"] < second["items"][0]["id"]


async def test_times_are_shown_apart_and_the_answer_only_to_who_may_read_it(
    client: httpx.AsyncClient, as_: As, parked: int, engine: sa.Engine
) -> None:
    path = f"{PATH}/ward/deliveries/{parked}"
    shown = (await client.get(path, headers=as_("ops"))).json()
    assert (shown["queued_seconds"], shown["ack_seconds"], shown["waiting_behind"]) == (5.0, 2.0, 1)
    assert shown["answer"] is None
    assert (await client.get(f"{path}?answer=true", headers=as_("ops"))).status_code == 403
    assert newest(engine).outcome == "refused"
    read = await client.get(f"{path}?answer=true", headers=as_("engineer"))
    assert read.json()["answer"] == "王珅"
    assert newest(engine).action == "message-body.read"


async def test_what_is_not_there_is_not_found(client: httpx.AsyncClient, as_: As, parked: int) -> None:
    for path in ("nowhere", "ward/deliveries/999999", f"hook/deliveries/{parked}"):
        assert (await client.get(f"{PATH}/{path}", headers=as_("ops"))).status_code == 404


@pytest.mark.parametrize("username", ["doctor.main", "coordinator.main", "manager.group", "system.huangpu"])
async def test_nobody_else_sees_destinations(client: httpx.AsyncClient, as_: As, username: str) -> None:
    assert (await client.get(PATH, headers=as_(username))).status_code == 403


def delivered(engine: sa.Engine) -> list[int]:
    with engine.begin() as connection:
        done = "UPDATE bus.delivery SET state = 'delivered', done_at = now() RETURNING id"
        return sorted(connection.execute(sa.text(done)).scalars())


async def test_one_is_sent_again_on_purpose_and_the_same_request_only_once(
    client: httpx.AsyncClient, as_: As, parked: int, engine: sa.Engine
) -> None:
    person = everything(engine, "MAIN", "M1", 0)
    path = f"{PATH}/ward/deliveries/{parked}/again"
    assert (await client.post(path, json=WHY, headers=as_("ops"))).status_code == 409
    delivered(engine)
    headers = as_("ops") | {"Idempotency-Key": "K1"}
    first = (await client.post(path, json=WHY, headers=headers)).json()
    noted = newest(engine)
    assert (noted.action, noted.reason, list(noted.persons)) == (
        "delivery.again", f"again: {WHY['why']}", [UUID(str(person))]
    )  # fmt: skip
    assert (await client.post(path, json=WHY, headers=headers)).json()["ids"] == first["ids"]
    [new] = first["ids"]
    shown = (await client.get(f"{PATH}/ward/deliveries/{new}", headers=as_("ops"))).json()
    assert (shown["generation"], shown["again_of"], shown["again_by"], shown["again_why"]) == (
        1, parked, "ops", WHY["why"]
    )  # fmt: skip


async def test_many_are_sent_again_after_it_was_asked_how_many(
    client: httpx.AsyncClient, as_: As, parked: int, engine: sa.Engine
) -> None:
    delivered(engine)
    path, filters = f"{PATH}/ward/deliveries/again", {"type": "ADT^A08"}
    asked = {"filters": filters, "dry_run": True}
    preview = (await client.post(path, json=asked, headers=as_("ops"))).json()
    assert (preview["total"], preview["patients"], preview["passed"]) == (3, 2, 0)
    for wrong in ({"filters": {}, "why": "x"}, {"filters": filters}, {"filters": {"colour": 1}, "why": "x"}):
        assert (await client.post(path, json=wrong, headers=as_("ops"))).status_code == 422
    person = everything(engine, "MAIN", "M1", 0)
    of_one = {"filters": {"facility": "MAIN", "patient_number": "M1"}, "dry_run": True}
    assert (await client.post(path, json=of_one, headers=as_("ops"))).json()["patients"] == 1
    noted = newest(engine)
    assert (noted.resource, list(noted.persons)) == ("destination ward", [UUID(str(person))])
    nul = {"filters": {"facility": "MA\0IN"}, "dry_run": True}
    refused = await client.post(path, json=nul, headers=as_("ops"))
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:yilian:problem:unstorable")
    done = (await client.post(path, json={"filters": filters, **WHY}, headers=as_("ops"))).json()
    assert len(done["ids"]) == 3
    assert newest(engine).resource == f"destination ward, request {done['again_id']}: 3"


async def test_another_campus_sends_nothing_again(
    client: httpx.AsyncClient, as_: As, parked: int, engine: sa.Engine, seeded_url: str
) -> None:
    delivered(engine)
    of_campus(engine, "engineer", "HY")
    for path, body in ((f"{parked}/again", WHY), ("again", {"filters": {"type": "ADT^A08"}, **WHY})):
        answer = await client.post(f"{PATH}/ward/deliveries/{path}", json=body, headers=as_("engineer"))
        assert (answer.status_code, newest(engine).outcome) == (403, "refused")
        doctor = await client.post(f"{PATH}/ward/deliveries/{path}", json=body, headers=as_("doctor.main"))
        assert doctor.status_code == 403
    assert states(seeded_url) == ["delivered"] * 3


async def test_what_was_sent_is_shown_with_its_message_to_who_may_read_it(
    client: httpx.AsyncClient, as_: As, parked: int, engine: sa.Engine
) -> None:
    with engine.begin() as connection:
        kept = (
            "WITH d AS (UPDATE bus.delivery SET sent_digest = sha256(convert_to('ADT for M1', 'UTF8')),"
            " sent_rules = '0123456789ab' WHERE id = :id RETURNING id, queued_at, sent_at, message_id),"
            " s AS (INSERT INTO bus.sent SELECT id, queued_at, sent_at, 'utf-8', 'PUT /Patient/M1', :body"
            " FROM d) SELECT message_id FROM d"
        )
        values = {"id": parked, "body": zlib.compress(b"ADT for M1")}
        message = connection.execute(sa.text(kept), values).scalar_one()
    path = f"/api/v1/messages/{message}"
    [one] = (await client.get(path, headers=as_("ops"))).json()["sent"]
    assert (one["delivery_id"], one["destination"], one["how"], one["rules"]) == (
        parked, "ward", "kept", "0123456789ab"
    )  # fmt: skip
    assert (one["text"], one["place"], one["answer"]) == (None, None, None)
    assert (await client.get(f"{path}?body=true", headers=as_("ops"))).status_code == 403
    with engine.begin() as connection:
        allow = "UPDATE access.account SET permissions = '{message-body}' WHERE username = 'ops'"
        connection.execute(sa.text(allow))
    [one] = (await client.get(f"{path}?body=true", headers=as_("ops"))).json()["sent"]
    assert (one["text"], one["place"], one["answer"]) == ("ADT for M1", "PUT /Patient/M1", "王珅")
    assert newest(engine).action == "message-body.read"
