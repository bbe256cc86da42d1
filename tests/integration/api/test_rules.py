"""Rule set versions over the API."""

from __future__ import annotations

import base64
import json
import uuid
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from api.v1 import rules
from bus.envelope import Arrival
from bus.inbox import Inbox
from bus.rules.versions import service
from bus.rules.versions.folder import digest_of
from consortium.access import audit
from consortium.terminology import maps
from tests.integration.api.conftest import As
from tests.integration.bus.clinic import lab
from tests.integration.bus.rules.sets import numbered

PATH = "/api/v1/rules"
ONE, TWO = digest_of(numbered(1)), digest_of(numbered(2))
GB = "王珅".encode("gb18030")


def texts(number: int, **changed: Any) -> dict[str, str]:
    return {path: content.decode() for path, content in numbered(number, **changed).items()}


@pytest.fixture
def deployed(engine: sa.Engine) -> None:
    """Version 2 is active, version 1 was before it."""
    for number in (1, 2):
        service.deploy(engine, numbered(number), "chen", f"number {number}")


@pytest.fixture
async def sent(seeded_url: str) -> list[int]:
    async with Inbox(seeded_url, "a routing key for tests") as inbox:
        arrivals: list[Arrival] = [lab(number=f"R{number}") for number in range(5)]
        return [(await inbox.accept(arrival)).id for arrival in arrivals]


async def test_an_uploaded_set_becomes_active_and_is_audited(
    client: httpx.AsyncClient, as_: As, engine: sa.Engine
) -> None:
    body = {"files": texts(1), "note": "第一版"}
    answer = await client.post(PATH, json=body, headers=as_("engineer"))
    assert (answer.status_code, answer.json()) == (200, {"digest": ONE, "previous": None, "changed": True})
    again = await client.post(PATH, json=body, headers=as_("engineer"))
    assert again.json()["changed"] is False
    listed = (await client.get(PATH, headers=as_("ops"))).json()
    assert (listed["active"], listed["versions"][0]["note"]) == (ONE, "第一版")
    assert [(one["digest"], one["author"]) for one in listed["activations"]] == [(ONE, "engineer")]
    with engine.connect() as connection:
        newest = audit.entries(connection, limit=1)[0].entry
    assert (newest.action, newest.resource, newest.outcome) == (
        "rules.deploy",
        f"rules {ONE[:12]}",
        "allowed",
    )


@pytest.mark.usefixtures("deployed")
async def test_a_set_with_mistakes_is_a_problem_that_names_them(
    client: httpx.AsyncClient, as_: As, engine: sa.Engine
) -> None:
    body = {"files": texts(3, expected="other")}
    answer = await client.post(PATH, json=body, headers=as_("engineer"))
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == "urn:yilian:problem:rules-refused"
    [error] = problem["errors"]
    assert error["field"] == "campuses/main/lab.yaml:21"
    assert "expected 'other', got 'v3'" in error["message"]
    assert (await client.get(PATH, headers=as_("engineer"))).json()["active"] == TWO


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"files": {}}, 400),
        ({"files": {"../a": ""}}, 400),
        ({"files": {"a/\ud800": ""}}, 400),
        ({"files": {"codes/a.csv": "\ud800"}}, 422),
        ({"files": {"codes/a.csv": ""}, "note": "\0"}, 422),
        ({"files": {"codes/a.csv": ""}, "note": "\ud800"}, 422),
        ({"files": {"codes/a.csv": ""}, "binary": {"a/b": "%"}}, 422),
        ({"files": {"codes/a.csv": ""}, "who": "me"}, 422),
        ({"files": {"campuses/a/b.yaml": "[" * 5000}}, 422),
        ({"note": "no files"}, 422),
    ],
)
async def test_what_is_no_rule_set_is_refused(
    client: httpx.AsyncClient, as_: As, body: dict[str, Any], status: int
) -> None:
    headers = as_("engineer") | {"Content-Type": "application/json"}
    answer = await client.post(PATH, content=json.dumps(body), headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


@pytest.mark.usefixtures("deployed")
async def test_somebody_elses_work_is_not_undone(client: httpx.AsyncClient, as_: As) -> None:
    body = {"files": texts(3), "expected": ONE}
    answer = await client.post(PATH, json=body, headers=as_("engineer"))
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:yilian:problem:conflict")


@pytest.mark.usefixtures("deployed")
async def test_a_version_is_taken_back(client: httpx.AsyncClient, as_: As, engine: sa.Engine) -> None:
    answer = await client.post(f"{PATH}/rollback", json={"note": "too early"}, headers=as_("engineer"))
    assert answer.json() == {"digest": ONE, "previous": TWO, "changed": True}
    active = (await client.get(f"{PATH}/active", headers=as_("ops"))).json()
    assert (active["active"]["action"], active["active"]["note"]) == ("rollback", "too early")
    assert active["drifted"] is True
    assert active["router"] is None
    unknown = await client.post(f"{PATH}/rollback", json={"version": "0000"}, headers=as_("engineer"))
    assert (unknown.status_code, unknown.json()["type"]) == (404, "urn:yilian:problem:unknown-version")
    with engine.connect() as connection:
        assert audit.entries(connection, limit=1)[0].entry.resource == f"rules {ONE[:12]}"


async def test_without_any_set_there_is_nothing_to_go_back_to(client: httpx.AsyncClient, as_: As) -> None:
    answer = await client.post(f"{PATH}/rollback", json={}, headers=as_("engineer"))
    assert answer.status_code == 409
    assert (await client.get(f"{PATH}/active", headers=as_("ops"))).json()["active"] is None


async def test_a_version_is_shown_whole_and_can_be_deployed_again(
    client: httpx.AsyncClient, as_: As, engine: sa.Engine
) -> None:
    files = {**numbered(1), "campuses/main/name.hl7": GB}
    digest = service.deploy(engine, files, "chen").digest
    shown = (await client.get(f"{PATH}/{digest[:12]}", headers=as_("ops"))).json()
    assert shown["files"] == texts(1)
    assert shown["binary"] == {"campuses/main/name.hl7": base64.b64encode(GB).decode()}
    body = {"files": shown["files"], "binary": shown["binary"]}
    again = await client.post(PATH, json=body, headers=as_("engineer"))
    assert again.json() == {"digest": digest, "previous": digest, "changed": False}
    assert (await client.get(f"{PATH}/ffff", headers=as_("ops"))).status_code == 404


@pytest.mark.usefixtures("deployed")
async def test_two_versions_are_compared(client: httpx.AsyncClient, as_: As) -> None:
    answer = await client.get(f"{PATH}/active/diff", params={"before": "previous"}, headers=as_("ops"))
    found = answer.json()
    assert (found["before"], found["after"]) == (ONE, TWO)
    assert [one["path"] for one in found["files"]] == sorted(numbered(1))
    assert "+MAIN,LP006,v2,," in found["files"][1]["diff"]


@pytest.mark.usefixtures("deployed")
async def test_a_backtest_tells_what_would_differ_and_no_values(
    client: httpx.AsyncClient, as_: As, sent: list[int], engine: sa.Engine
) -> None:
    body = {"since": "2020-01-01T00:00:00Z", "changed": {"files": texts(3)}, "limit": 3}
    first = (await client.post(f"{PATH}/backtest", json=body, headers=as_("engineer"))).json()
    assert (first["stored"], first["read"], first["different"], first["next"]) == (5, 3, 3, sent[2])
    assert {one["field"] for one in first["differences"]} == {
        "reports[].item.code",
        "reports[].conclusion",
        "reports[].results[].unit",
    }
    assert first["differences"][0]["messages"] == [str(id_) for id_ in sent[:3]]
    with engine.begin() as connection:  # what the file of version 4 lacks is known to it all the same
        known = maps.Mapping("panels", "MAIN", "LP006", "P", None, None)
        maps.add(connection, known, by="chen", why="by the vendor's list")
    lacking = texts(4, codes="facility,code,target,name,system\nHY,LP006,v4,,\n")
    lacking["campuses/main/lab.yaml"] = lacking["campuses/main/lab.yaml"].split("\ntests:")[0] + "\n"
    mapped = {**body, "changed": {"files": lacking}}
    third = (await client.post(f"{PATH}/backtest", json=mapped, headers=as_("engineer"))).json()
    assert {one["what"] for one in third["differences"]} == {"field"}, "none is held"
    rest = {**body, "after": first["next"]}
    second = (await client.post(f"{PATH}/backtest", json=rest, headers=as_("engineer"))).json()
    assert (second["read"], second["next"]) == (2, None)
    with engine.connect() as connection:
        entry = audit.entries(connection, limit=1)[0].entry
    assert (entry.action, entry.resource) == (
        "rules.backtest",
        f"rules {digest_of(numbered(3))[:12]} over 2 messages",
    )


@pytest.mark.usefixtures("deployed")
async def test_a_backtest_needs_one_set_and_runs_alone(client: httpx.AsyncClient, as_: As) -> None:
    since = {"since": "2020-01-01T00:00:00Z"}
    neither = await client.post(f"{PATH}/backtest", json=since, headers=as_("engineer"))
    assert neither.status_code == 422
    wrong = {**since, "changed": {"files": {"codes/a.csv": "x"}}}
    assert (await client.post(f"{PATH}/backtest", json=wrong, headers=as_("engineer"))).status_code == 400
    with rules._running:
        busy = await client.post(
            f"{PATH}/backtest", json={**since, "version": "previous"}, headers=as_("engineer")
        )
    assert (busy.status_code, busy.headers["Retry-After"]) == (429, "10")


async def test_only_engineers_of_the_group_change_rules(
    client: httpx.AsyncClient, as_: As, engine: sa.Engine
) -> None:
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO access.account (username, display_name, role, organisation, password_hash)"
                " VALUES ('engineer.huangpu', '黄埔工程师', 'engineer', 'HP', 'x')"
            )
        )
    body = {"files": texts(1)}
    for username in ("engineer.huangpu", "ops", "admin"):
        request = uuid.uuid4().hex
        headers = as_(username) | {"X-Request-Id": request}
        assert (await client.post(PATH, json=body, headers=headers)).status_code == 403, username
        with engine.connect() as connection:
            refused = audit.entries(connection, limit=5, outcome="refused")
        assert refused[0].entry.request_id == request
    assert (await client.get(PATH, headers=as_("engineer.huangpu"))).status_code == 200
    assert (await client.get(PATH, headers=as_("doctor.main"))).status_code == 403


def test_the_openapi_shows_how_to_ask(app: FastAPI) -> None:
    schemas = app.openapi()["components"]["schemas"]
    for name in ("Deployment", "Rollback", "Backtest"):
        assert schemas[name]["examples"], name
