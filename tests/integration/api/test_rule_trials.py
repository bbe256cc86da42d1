"""Lint, tests, explain and preview over the API: what a console shows before a set is deployed."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from api.v1 import rule_trials
from bus.rules.versions import service
from bus.rules.versions.folder import digest_of, read_folder
from consortium.access import audit
from runtime.settings import CHECKOUT
from tests.integration.api.conftest import As
from tests.integration.bus.clinic import hl7, lab, store
from tests.integration.bus.rules.sets import numbered

PATH = "/api/v1/rules"
ONE, TWO = digest_of(numbered(1)), digest_of(numbered(2))
SECRETS = ("M777", "王", "珅", "7.77")
"""What the message says of its patient."""


def texts(number: int, **changed: Any) -> dict[str, str]:
    return {path: content.decode() for path, content in numbered(number, **changed).items()}


@pytest.fixture(autouse=True)
def deployed(engine: sa.Engine) -> None:
    for number in (1, 2):
        service.deploy(engine, numbered(number), "chen", f"number {number}")


@pytest.fixture
def message(seeded_url: str) -> str:
    return str(store(seeded_url, lab("M777", value="7.77"))[0])


async def asked(client: httpx.AsyncClient, as_: As, verb: str, user: str = "engineer", **body: Any) -> Any:
    answer = await client.post(f"{PATH}/{verb}", json=body, headers=as_(user))
    assert answer.status_code == 200, answer.text
    return answer.json()


def newest(engine: sa.Engine) -> audit.Entry:
    with engine.connect() as connection:
        return audit.entries(connection, limit=1)[0].entry


async def test_lint_names_each_mistake_by_its_place_and_deploys_nothing(
    client: httpx.AsyncClient, as_: As
) -> None:
    wrong = texts(3)
    wrong["campuses/main/lab.yaml"] = wrong["campuses/main/lab.yaml"].replace("panels", "pannels")
    found = await asked(client, as_, "lint", changed={"files": wrong})
    assert found["passed"] is False
    [error] = [one for one in found["findings"] if one["severity"] == "error"]
    assert (error["file"], error["line"], error["code"]) == ("campuses/main/lab.yaml", 13, "unknown-table")
    well = await asked(client, as_, "lint")
    assert (well["digest"], well["passed"], well["rules"], well["tables"]) == (TWO, True, 1, 1)
    assert (await client.get(PATH, headers=as_("engineer"))).json()["active"] == TWO


async def test_lint_says_what_is_no_text(client: httpx.AsyncClient, as_: As) -> None:
    binary = {"campuses/main/x.yaml": base64.b64encode("王".encode("gb18030")).decode()}
    found = await asked(client, as_, "lint", changed={"files": texts(3), "binary": binary})
    assert [(one["file"], one["code"]) for one in found["findings"]] == [("campuses/main/x.yaml", "bad-yaml")]
    tests = await asked(client, as_, "test", changed={"files": texts(3), "binary": binary})
    assert (tests["passed"], tests["outcomes"]) == (False, [])
    assert "not UTF-8" in tests["errors"][0]["message"]
    answer = await client.post(
        f"{PATH}/explain",
        json={"changed": {"files": texts(3), "binary": binary}, "given": {"content": "TVNI"}},
        headers=as_("engineer"),
    )
    assert answer.status_code in (400, 422), answer.text


async def test_the_tests_of_the_repository_s_rules_pass_and_say_what_they_leave_out(
    client: httpx.AsyncClient, as_: As
) -> None:
    files = read_folder(CHECKOUT / "rules")
    binary = {path: base64.b64encode(content).decode() for path, content in files.items()}
    changed = {"files": {}, "binary": binary}
    found = await asked(client, as_, "test", changed=changed, names=["MAIN"])
    assert (found["digest"], found["passed"], found["errors"]) == (digest_of(files), True, [])
    assert len(found["outcomes"]) > 10
    assert {one["rule"] for one in found["outcomes"]} <= {one["rule"] for one in found["coverage"]}
    assert all(one["rule"].startswith("main-") for one in found["coverage"])
    assert any(one["missing"] for one in found["coverage"])


async def test_a_threshold_of_branches_fails_by_the_rules_below_it(
    client: httpx.AsyncClient, as_: As
) -> None:
    whole = await asked(client, as_, "test")
    assert (whole["passed"], whole["below"]) == (True, [])
    below = [one["rule"] for one in whole["coverage"] if one["percent"] < 100]
    assert below, "so that the next can fail"
    strict = await asked(client, as_, "test", threshold=100)
    assert (strict["passed"], strict["below"]) == (False, below)


async def test_a_failed_test_says_what_it_expected(client: httpx.AsyncClient, as_: As) -> None:
    found = await asked(client, as_, "test", changed={"files": texts(3, expected="other")})
    assert found["passed"] is False
    [outcome] = found["outcomes"]
    assert (outcome["rule"], outcome["passed"], outcome["line"]) == ("main-lab", False, 21)
    assert "expected 'other', got 'v3'" in outcome["differences"][0]
    broken = await asked(client, as_, "test", changed={"files": {"campuses/main/lab.yaml": "name: ["}})
    assert (broken["passed"], broken["outcomes"]) == (False, [])
    assert broken["errors"][0]["code"] == "bad-yaml"


async def test_a_stored_message_is_explained_masked_and_its_use_is_audited(
    client: httpx.AsyncClient, as_: As, engine: sa.Engine, message: str
) -> None:
    found = await asked(client, as_, "explain", message=message)
    told = found["explanation"]
    assert (found["digest"], told["outcome"], told["rule"]) == (TWO, "report", "main-lab")
    assert told["rules"][0]["verdict"] == "fired"
    assert len(told["readings"]) > 5
    assert not any(secret in json.dumps(found, ensure_ascii=False) for secret in SECRETS)
    entry = newest(engine)
    assert (entry.action, entry.resource) == (
        "message.read",
        f"message {message} through rules {TWO[:12]}",
    )


async def test_values_need_the_permission_and_are_audited_as_a_body_s_read(
    client: httpx.AsyncClient, as_: As, engine: sa.Engine, message: str
) -> None:
    with engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE access.account SET permissions = '{}' WHERE username = 'engineer'")
        )
    body = {"message": message, "values": True}
    refused = await client.post(f"{PATH}/explain", json=body, headers=as_("engineer"))
    assert refused.status_code == 403
    assert (newest(engine).action, newest(engine).outcome) == ("message-body.read", "refused")


async def test_with_the_permission_values_are_shown(
    client: httpx.AsyncClient, as_: As, engine: sa.Engine, message: str
) -> None:
    found = await asked(client, as_, "explain", message=message, values=True)
    assert "M777" in json.dumps(found)
    entry = newest(engine)
    assert (entry.action, entry.outcome) == ("message-body.read", "allowed")
    shown = await asked(client, as_, "preview", message=message, values=True, version="previous")
    assert {"field": "reports[1].conclusion", "what": "changed", "before": "v2", "after": "v1"} in shown[
        "differences"
    ]


async def test_a_preview_says_what_a_changed_set_makes_of_a_message_and_no_values(
    client: httpx.AsyncClient, as_: As, message: str
) -> None:
    files = texts(3)
    files["campuses/main/lab.yaml"] = files["campuses/main/lab.yaml"].replace("value: OBX-5", "value: OBX-6")
    found = await asked(client, as_, "preview", message=message, changed={"files": files})
    assert found["before"] == TWO
    by_field = {one["field"]: one for one in found["differences"]}
    assert by_field["reports[1].conclusion"]["before"] == "‹2 characters›"
    assert by_field["reports[1].results[1].value"]["what"] == "changed"
    assert not any(secret in json.dumps(found, ensure_ascii=False) for secret in SECRETS)
    same = await asked(client, as_, "preview", message=message)
    assert same["differences"] == []


async def test_given_bytes_go_through_without_being_stored(
    client: httpx.AsyncClient, as_: As, engine: sa.Engine
) -> None:
    given = {"content": base64.b64encode(lab("M777", value="7.77").body).decode(), "charset": "gb18030"}
    found = await asked(client, as_, "explain", given=given)
    assert found["explanation"]["rule"] == "main-lab"
    assert not any(secret in json.dumps(found, ensure_ascii=False) for secret in SECRETS)
    moved = await asked(client, as_, "preview", given=given, version="previous")
    assert "reports[1].item.code" in {one["field"] for one in moved["differences"]}
    other = {**given, "content": base64.b64encode(hl7("ZZZ^Z01").body).decode()}
    held = await asked(client, as_, "preview", given=other, against="previous")
    assert held["differences"] == []
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM bus.inbox")).scalar_one() == 0


@pytest.mark.parametrize(
    ("verb", "body", "status"),
    [
        ("explain", {}, 422),
        ("explain", {"message": "1", "given": {"content": "TVNI"}}, 422),
        ("explain", {"message": "r1"}, 422),
        ("explain", {"message": "999999"}, 404),
        ("explain", {"message": "1", "version": "0000"}, 404),
        ("explain", {"given": {"content": "TVNI", "charset": "zlib"}}, 422),
        ("explain", {"given": {"content": "eA=="}}, 422),
        ("explain", {"given": {"content": "TVNIfF5+XCZ8gf8=", "charset": "utf-8"}}, 422),
        ("lint", {"version": "active", "changed": {"files": {"codes/a.csv": ""}}}, 422),
        ("lint", {"changed": {"files": {"../a": ""}}}, 400),
        ("test", {"names": ["x"], "who": "me"}, 422),
        ("test", {"names": ["HP"]}, 400),
    ],
)
async def test_what_cannot_be_tried_is_told(
    client: httpx.AsyncClient, as_: As, verb: str, body: dict[str, Any], status: int
) -> None:
    answer = await client.post(f"{PATH}/{verb}", json=body, headers=as_("engineer"))
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


async def test_one_trial_runs_at_a_time(
    client: httpx.AsyncClient, as_: As, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rule_trials, "PATIENCE", 0.01)
    with rule_trials._running:
        busy = await client.post(f"{PATH}/lint", json={}, headers=as_("engineer"))
    assert busy.status_code == 429
    assert (await client.post(f"{PATH}/lint", json={}, headers=as_("engineer"))).status_code == 200


@pytest.mark.parametrize("verb", ["lint", "test", "explain", "preview"])
async def test_only_who_may_backtest_may_try(
    client: httpx.AsyncClient, as_: As, verb: str, message: str
) -> None:
    body = {"message": message} if verb in ("explain", "preview") else {}
    for user in ("ops", "admin", "doctor.main"):
        assert (await client.post(f"{PATH}/{verb}", json=body, headers=as_(user))).status_code == 403, user
    assert (await client.post(f"{PATH}/{verb}", json=body)).status_code == 401


def test_the_openapi_shows_how_to_ask(app: FastAPI) -> None:
    schemas = app.openapi()["components"]["schemas"]
    for name in ("Chosen", "Asked", "Compared"):
        assert schemas[name]["examples"], name
