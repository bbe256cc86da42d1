"""What every answer has in common: problems, headers, request ids, limits, and no patient in the log."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from typing import Any

import httpx
import pytest
import structlog
from fastapi import FastAPI
from jsonschema import Draft202012Validator

from api.app import create_app
from bus.logging import configure
from tests.integration.api.conftest import PASSWORD, As, Chart, settings_for

SIGN_IN = "/api/v1/sign-in"
PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "instance", "request_id"],
    "additionalProperties": False,
    "properties": {
        "type": {"type": "string", "pattern": "^urn:yilian:problem:[a-z-]+$"},
        "title": {"type": "string", "minLength": 1},
        "status": {"type": "integer"},
        "detail": {"type": "string", "minLength": 1},
        "instance": {"type": "string", "pattern": "^urn:yilian:request:"},
        "request_id": {"type": "string", "minLength": 1},
        "errors": {"type": "array", "items": {"type": "object", "required": ["field", "message"]}},
    },
}


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    Draft202012Validator(PROBLEM).validate(body)
    assert (body["status"], body["type"]) == (status, f"urn:yilian:problem:{code}")
    assert body["request_id"] == answer.headers["X-Request-Id"]
    return body


@pytest.fixture
def app(chart: Chart) -> Iterator[FastAPI]:
    application = create_app(settings_for(chart.url))
    yield application
    application.state.platform.engine.dispose()


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[StringIO]:
    """What the process logs, as its `__main__` sets it up."""
    stream = StringIO()
    before = logging.getLogger().handlers[:]
    configure("api", stream=stream)
    monkeypatch.setattr("api.edge.log", structlog.get_logger("api"))  # the one at hand may be bound already
    yield stream
    logging.getLogger().handlers[:] = before
    structlog.reset_defaults()


async def test_errors_are_problem_details(client: httpx.AsyncClient, as_: As) -> None:
    problem(await client.get("/api/v1/me"), 401, "not-signed-in")
    problem(await client.get("/api/v1/audit", headers=as_("ops")), 403, "forbidden")
    problem(await client.get("/api/v1/nothing"), 404, "not-found")
    problem(await client.delete("/api/v1/me"), 405, "method-not-allowed")
    problem(await client.get("/api/v1/audit?limit=0", headers=as_("admin")), 422, "validation")
    problem(
        await client.post(SIGN_IN, content=b"{", headers={"Content-Type": "application/json"}),
        422,
        "validation",
    )


async def test_a_wrong_value_is_named_by_its_place_and_not_repeated(client: httpx.AsyncClient) -> None:
    answer = await client.post(SIGN_IN, json={"username": 440106199003070038, "password": "x", "王珅": 1})
    body = problem(answer, 422, "validation")
    assert {error["field"] for error in body["errors"]} >= {"body.username"}
    assert "440106199003070038" not in answer.text


async def test_a_body_that_is_too_large_is_refused_whether_it_says_so_or_not(
    client: httpx.AsyncClient,
) -> None:
    large = b'{"username": "' + b"x" * 1024 * 1024 + b'"}'

    async def pieces() -> Any:
        for start in range(0, len(large), 65536):
            yield large[start : start + 65536]

    headers = {"Content-Type": "application/json"}
    problem(await client.post(SIGN_IN, content=large, headers=headers), 413, "too-large")
    problem(await client.post(SIGN_IN, content=pieces(), headers=headers), 413, "too-large")


async def test_a_failure_inside_gives_a_request_id_and_nothing_else_away(
    client: httpx.AsyncClient, app: FastAPI, log: StringIO
) -> None:
    def broken() -> None:
        raise ValueError("王珅 440106199003070038")

    app.add_api_route("/api/v1/broken", broken)
    answer = await client.get("/api/v1/broken")
    body = problem(answer, 500, "internal")
    assert "王珅" not in answer.text + log.getvalue()
    failed = next(line for line in lines(log) if line["event"] == "request_failed")
    assert (failed["trace_id"], failed["error"]) == (body["request_id"], "ValueError")


def lines(log: StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


async def test_a_database_that_is_away_is_503(client: httpx.AsyncClient, app: FastAPI, as_: As) -> None:
    settings = settings_for("postgresql://nobody@127.0.0.1:1/none")
    app.state.platform = replace(app.state.platform, engine=create_app(settings).state.platform.engine)
    answer = await client.get("/api/v1/health")
    assert "127.0.0.1" not in problem(answer, 503, "unavailable")["detail"]


async def test_each_request_is_one_line_with_the_route_and_no_patient(
    client: httpx.AsyncClient, as_: As, chart: Chart, log: StringIO
) -> None:
    await client.get(f"/fhir/Patient/{chart.wang}", headers=as_("doctor.main") | {"X-Request-Id": "a-1"})
    await client.get("/fhir/Patient?name=王珅&identifier=11010519491231002X", headers=as_("doctor.main"))
    seen = [
        (line["route"], line["method"], line["status"]) for line in lines(log) if line["event"] == "request"
    ]
    assert seen == [("/fhir/Patient/{id}", "GET", 200), ("/fhir/Patient", "GET", 200)]
    assert lines(log)[0]["trace_id"] == "a-1"
    for secret in ("王珅", "11010519491231002X", str(chart.wang), PASSWORD, "Bearer"):
        assert secret not in log.getvalue()


async def test_a_request_id_that_is_unsound_is_replaced(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/v1/health", headers={"X-Request-Id": "a b\tc"})
    assert answer.headers["X-Request-Id"] != "a b\tc"


async def test_data_runs_nothing_in_a_browser(client: httpx.AsyncClient) -> None:
    headers = (await client.get("/api/v1/health")).headers
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; frame-ancestors 'none'")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"


async def test_the_documentation_comes_from_this_server_alone(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    assert "http" not in page.text
    assert "script-src 'self';" in page.headers["Content-Security-Policy"]
    for asset in ("swagger-ui-bundle.js", "swagger-ui.css", "start.js", "favicon.png"):
        assert f"/docs/assets/{asset}" in page.text
        assert (await client.get(f"/docs/assets/{asset}")).status_code == 200
    assert (await client.get("/docs/assets/..%2Fcore.py")).status_code == 404


async def test_the_openapi_describes_every_operation(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    operations = [
        (path, method, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]
    assert len(operations) > 20
    for path, method, operation in operations:
        assert operation["summary"], (path, method)
        assert operation["tags"], (path, method)
    assert len({operation["operationId"] for _, _, operation in operations}) == len(operations)


async def test_the_landing_page_speaks_both_languages(client: httpx.AsyncClient) -> None:
    page = await client.get("/")
    assert "医疗联合体" in page.text
    assert "medical consortium" in page.text
