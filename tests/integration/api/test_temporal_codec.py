"""Contents of workflows for the Temporal UI: decrypted for whom it is permitted to, and audited."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
import sqlalchemy as sa
from fastapi import FastAPI
from temporalio.api.common.v1 import Payload
from temporalio.converter import WorkflowSerializationContext

from activities.codec import Encryption, KeyRing
from activities.decoding import encoded
from api.app import create_app
from api.temporal_door import COOKIE
from consortium.access import audit
from tests.integration.api.conftest import As, settings_for

DECODE = "/api/v1/temporal/codec/default/decode?preserveStorageRefs=true"
ENCODE = "/api/v1/temporal/codec/default/encode"
SESSION = "/api/v1/temporal/codec/session"
UI = "http://127.0.0.1:8233"
NOTE = "张珅的血钾 6.8，已通知值班医生"
KEY = "a payload key for tests"
CODEC = Encryption(KeyRing.of(KEY), "default").with_context(
    WorkflowSerializationContext("default", "critical-value-1")
)
NOTED = Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(NOTE, ensure_ascii=False).encode())
CLEAR = f'{{"payloads": [{{"data": "{base64.b64encode(NOTED.data).decode()}"}}]}}'


def sealed(times: int = 1) -> str:
    """What the UI finds in a history."""
    return encoded(CODEC, [NOTED] * times)


def texts(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [json.loads(base64.b64decode(one["data"])) for one in answer.json()["payloads"]]


@pytest.fixture
def app(seeded_url: str, documents: Path) -> Iterator[FastAPI]:
    """The application with a payload key, for 100 payloads a minute."""
    told = {"payload_key": KEY, "documents_store": str(documents), "temporal_codec_per_minute": 100}
    application = create_app(settings_for(seeded_url).model_copy(update=told))
    yield application
    application.state.platform.engine.dispose()


@pytest_asyncio.fixture
async def browser(app: FastAPI, as_: As) -> AsyncIterator[httpx.AsyncClient]:
    """A browser whose person signed in for the UI."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        answer = await client.post(SESSION, headers=as_("engineer"))
        assert answer.status_code == 200, answer.text
        yield client


def audited(engine: sa.Engine) -> list[audit.Entry]:
    with engine.connect() as connection:
        return [one.entry for one in audit.entries(connection, limit=10)]


async def test_who_is_permitted_reads_and_the_audit_names_the_workflow(
    client: httpx.AsyncClient, as_: As, engine: sa.Engine
) -> None:
    answer = await client.post(
        DECODE, content=sealed(2), headers=as_("engineer") | {"X-Namespace": "default"}
    )
    assert texts(answer) == [NOTE, NOTE]
    newest = audited(engine)[0]
    assert (newest.username, newest.action, newest.outcome) == (
        "engineer",
        "workflow-payload.read",
        "allowed",
    )
    assert (newest.resource, newest.reason) == ("workflow critical-value-1", "2 payloads decoded")
    assert NOTE not in str(audited(engine))


@pytest.mark.parametrize("username", ["ops", "admin", "doctor.main", "manager.group", "system.huangpu"])
async def test_who_was_not_given_the_permission_reads_nothing(
    client: httpx.AsyncClient, as_: As, engine: sa.Engine, username: str
) -> None:
    for path in (DECODE, SESSION, ENCODE):
        answer = await client.post(path, content=sealed(), headers=as_(username))
        assert answer.status_code == 403
        assert answer.headers["content-type"] == "application/problem+json"
        assert (audited(engine)[0].username, audited(engine)[0].outcome) == (username, "refused")


async def test_an_engineer_of_one_campus_reads_nothing_either(
    client: httpx.AsyncClient, as_: As, engine: sa.Engine
) -> None:
    with engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE access.account SET organisation = 'HP' WHERE username = 'engineer'")
        )
    answer = await client.post(DECODE, content=sealed(), headers=as_("engineer"))
    assert answer.status_code == 403


async def test_writing_needs_a_permission_of_its_own(
    client: httpx.AsyncClient, as_: As, engine: sa.Engine
) -> None:
    assert (await client.post(ENCODE, content=CLEAR, headers=as_("engineer"))).status_code == 403
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "UPDATE access.account SET permissions = '{workflow-payload,workflow-payload-write}'"
                " WHERE username = 'engineer'"
            )
        )
    written = await client.post(ENCODE, content=CLEAR, headers=as_("engineer"))
    assert written.status_code == 200
    assert NOTE not in written.text
    assert audited(engine)[0].reason == "1 payloads encoded"
    assert texts(await client.post(DECODE, content=written.text, headers=as_("engineer"))) == [NOTE]


async def test_the_uis_cookie_counts_for_the_uis_origin_alone(browser: httpx.AsyncClient) -> None:
    assert texts(await browser.post(DECODE, content=sealed(), headers={"Origin": UI})) == [NOTE]
    for foreign in ({}, {"Origin": "https://elsewhere.example"}, {"Origin": "http://127.0.0.1:8080"}):
        answer = await browser.post(DECODE, content=sealed(), headers=foreign)
        assert answer.status_code == 401
        assert "access-control-allow-origin" not in answer.headers


async def test_the_cookie_opens_nothing_else(browser: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    (cookie,) = browser.cookies.jar
    assert (cookie.name, cookie.path) == (COOKIE, "/api/v1/temporal/codec")
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert cookie.get_nonstandard_attr("SameSite") == "strict"
    as_token = {"Authorization": f"Bearer {cookie.value}"}
    assert (await client.get("/api/v1/me", headers=as_token)).status_code == 401
    assert (await client.post(DECODE, content=sealed(), headers=as_token)).status_code == 401


async def test_an_access_token_is_no_cookie(client: httpx.AsyncClient, as_: As) -> None:
    token = as_("engineer")["Authorization"].removeprefix("Bearer ")
    headers = {"Origin": UI, "Cookie": f"{COOKIE}={token}"}
    assert (await client.post(DECODE, content=sealed(), headers=headers)).status_code == 401


async def test_the_sign_in_ends_when_the_permission_does(
    browser: httpx.AsyncClient, engine: sa.Engine
) -> None:
    with engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE access.account SET permissions = '{}' WHERE username = 'engineer'")
        )
    answer = await browser.post(DECODE, content=sealed(), headers={"Origin": UI})
    assert answer.status_code == 403


async def preflight(client: httpx.AsyncClient, path: str, origin: str) -> httpx.Response:
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,x-namespace,authorization",
    }
    return await client.options(path, headers=asked)


async def test_browsers_are_told_that_the_ui_may_ask_and_no_other_page(client: httpx.AsyncClient) -> None:
    answer = await preflight(client, DECODE, UI)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == UI
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert {"content-type", "x-namespace"} <= set(
        answer.headers["access-control-allow-headers"].lower().split(", ")
    )
    for other in ("http://127.0.0.1:8234", "https://elsewhere.example", "null"):
        answer = await preflight(client, DECODE, other)
        assert answer.status_code == 400
        assert "access-control-allow-origin" not in answer.headers
    assert "access-control-allow-origin" not in (await preflight(client, "/api/v1/me", UI)).headers


async def test_another_namespace_is_refused(client: httpx.AsyncClient, as_: As) -> None:
    headers = as_("engineer")
    elsewhere = DECODE.replace("default", "other")
    assert (await client.post(elsewhere, content=sealed(), headers=headers)).status_code == 404
    answer = await client.post(DECODE, content=sealed(), headers=headers | {"X-Namespace": "other"})
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:yilian:problem:other-namespace")


async def test_what_does_not_open_is_refused_and_audited(
    client: httpx.AsyncClient, as_: As, engine: sa.Engine
) -> None:
    foreign = encoded(Encryption(KeyRing.of("another key"), "default"), [NOTED])
    answer = await client.post(DECODE, content=foreign, headers=as_("engineer"))
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:yilian:problem:payload-refused")
    assert audited(engine)[0].outcome == "refused"


@pytest.mark.parametrize("body", ["", "no json 张珅", "[]", '{"payloads": "张珅"}'])
async def test_what_is_not_of_the_protocol_is_refused_without_repeating_it(
    client: httpx.AsyncClient, as_: As, body: str
) -> None:
    answer = await client.post(DECODE, content=body, headers=as_("engineer"))
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:yilian:problem:payloads")
    assert "张珅" not in answer.text


async def test_too_much_at_once_and_too_many_in_a_minute_are_refused(
    client: httpx.AsyncClient, as_: As
) -> None:
    headers = as_("engineer") | {"Origin": UI}
    large = await client.post(DECODE, content=b" " * (16 * 1024 * 1024 + 1), headers=headers)
    assert large.status_code == 413
    assert large.headers["access-control-allow-origin"] == UI
    assert len(texts(await client.post(DECODE, content=sealed(100), headers=headers))) == 100
    many = await client.post(DECODE, content=sealed(50), headers=headers)
    assert many.status_code == 429
    assert 0 < int(many.headers["Retry-After"]) <= 31


async def test_the_page_of_the_sign_in_runs_scripts_of_this_server_alone(client: httpx.AsyncClient) -> None:
    page = await client.get("/temporal")
    assert page.status_code == 200
    assert "script-src 'self';" in page.headers["content-security-policy"]
    assert '<script src="/temporal/sign-in.js">' in page.text
    assert (await client.get("/temporal/sign-in.js")).headers["content-type"].startswith("text/javascript")
