"""Every route asks who calls and whether they may."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Mount

from api.app import create_app
from api.caller import Gate
from consortium.access import audit
from consortium.access.model import Action, Role, User
from consortium.access.policy import TABLE
from tests.integration.api.conftest import PASSWORD, As, Chart, connected, settings_for

OPEN = {
    ("GET", "/"),
    ("GET", "/docs"),
    ("GET", "/docs/assets/start.js"),
    ("GET", "/docs/assets/{name}"),
    ("GET", "/openapi.json"),
    ("GET", "/temporal"),
    ("GET", "/temporal/sign-in.js"),
    ("GET", "/api/v1/health"),
    ("POST", "/api/v1/sign-in"),
    ("GET", "/api/v1/calendars/feeds/{name}.ics"),
    ("GET", "/r/{token}"),
    ("POST", "/r/{token}/{answer}"),
    ("GET", "/video"),
    ("GET", "/video/assets/{name}"),
    ("POST", "/api/v1/video/invited/join"),
    ("POST", "/api/v1/video/webhook"),
}
"""What needs no sign-in: it carries nobody's data, or its own signature (feeds, links, video server)."""
UPLOADS = "/api/v1/upload/"
USERS = {
    Role.ADMIN: "admin",
    Role.ENGINEER: "engineer",
    Role.OPS: "ops",
    Role.COORDINATOR: "coordinator.main",
    Role.DOCTOR: "doctor.main",
    Role.MANAGER: "manager.group",
    Role.PATIENT: "patient.demo",
    Role.SYSTEM: "system.huangpu",
}


@dataclass(frozen=True)
class Entrance:
    method: str
    path: str
    gates: tuple[Gate, ...]

    @property
    def address(self) -> str:
        address = self.path
        for name in ("id", "facility", "kind", "name"):
            address = address.replace(f"{{{name}}}", {"facility": "HP", "kind": "patient"}.get(name, "1"))
        return address


def gates(dependant: Dependant) -> Iterator[Gate]:
    if isinstance(dependant.call, Gate):
        yield dependant.call
    for below in dependant.dependencies:
        yield from gates(below)


def entrances(routes: list[BaseRoute]) -> list[Entrance]:
    found = []
    for route in routes:
        if isinstance(route, Mount):
            continue
        methods = sorted((getattr(route, "methods", None) or set()) - {"HEAD"})
        guards = tuple(gates(route.dependant)) if isinstance(route, APIRoute) else ()
        found += [Entrance(method, getattr(route, "path", ""), guards) for method in methods]
    return found


@pytest.fixture
def app(chart: Chart) -> Iterator[FastAPI]:
    application = create_app(settings_for(chart.url))
    yield application
    application.state.platform.engine.dispose()


def guarded(app: FastAPI) -> list[Entrance]:
    return [
        entrance
        for entrance in entrances(list(app.routes))
        if (entrance.method, entrance.path) not in OPEN and not entrance.path.startswith(UPLOADS)
    ]


def test_every_route_but_the_open_ones_has_one_gate(app: FastAPI) -> None:
    entrances_ = guarded(app)
    assert len(entrances_) > 20
    assert [entrance for entrance in entrances_ if len(entrance.gates) != 1] == []


def test_what_is_said_to_be_open_exists_and_has_no_gate(app: FastAPI) -> None:
    there = {(e.method, e.path): e.gates for e in entrances(list(app.routes))}
    assert there.keys() >= OPEN
    assert [there[one] for one in OPEN if there[one]] == []


def test_only_soap_is_mounted(app: FastAPI) -> None:
    paths = [route.path for route in app.routes if isinstance(route, Mount)]
    assert paths == ["/soap", "/xds", "/pix", "/pdq"]


async def test_every_route_refuses_who_has_not_signed_in(app: FastAPI, client: httpx.AsyncClient) -> None:
    for entrance in guarded(app):
        answer = await client.request(entrance.method, entrance.address)
        assert answer.status_code == 401, entrance
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_every_route_refuses_whoever_its_action_is_not_for(
    app: FastAPI, client: httpx.AsyncClient, as_: As, chart: Chart
) -> None:
    expected: set[str] = set()
    for entrance in guarded(app):
        action = entrance.gates[0].action
        entitled = {role for line in TABLE if action in line.actions for role in line.roles}
        for role in set(Role) - entitled:
            request = f"{role.value}-{len(expected)}"
            headers = as_(USERS[role]) | {"X-Request-Id": request}
            answer = await client.request(entrance.method, entrance.address, headers=headers)
            assert answer.status_code == 403, (entrance, role)
            expected.add(request)
    with connected(chart.url).connect() as connection:
        refused = audit.entries(connection, limit=2000, outcome="refused")
    assert {record.entry.request_id for record in refused} >= expected


def test_only_what_everyone_may_know_is_for_everyone() -> None:
    everyones = {action for line in TABLE if line.roles == frozenset(Role) for action in line.actions}
    assert everyones == {Action.ME_READ, Action.CAPABILITIES_READ}


@pytest.mark.parametrize("path", ["/api/v1/upload/HP/patient", "/soap/patient"])
@pytest.mark.parametrize("username", [None, "doctor.huangpu", "admin"])
async def test_uploads_refuse_whoever_is_no_system_account(
    app: FastAPI, client: httpx.AsyncClient, as_: As, path: str, username: str | None
) -> None:
    headers = as_(username) if username else {}
    async with app.router.lifespan_context(app):
        answer = await client.post(path, headers={"Content-Type": "text/xml", **headers}, content=b"<a/>")
    assert answer.status_code == 401


async def test_the_wsdl_is_open(client: httpx.AsyncClient) -> None:
    answer = await client.get("/soap/patient?wsdl")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/xml; charset=utf-8")


def test_an_unsigned_user_cannot_be_made_up() -> None:
    with pytest.raises(TypeError):
        User(username="x")  # type: ignore[call-arg]


def test_the_openapi_names_every_guarded_route_as_such(app: FastAPI) -> None:
    paths = app.openapi()["paths"]
    missing = [
        entrance.path
        for entrance in guarded(app)
        if "security" not in paths.get(entrance.path, {}).get(entrance.method.lower(), {})
    ]
    assert missing == []


def database_size(url: str) -> int:
    with connected(url).connect() as connection:
        return int(connection.execute(sa.text("SELECT count(*) FROM bus.inbox")).scalar_one())


PATIENT = {"patient": {"number": "P1", "name": "王珅", "sex": "男", "birth_date": "1990-03-07"}}


@pytest.fixture
def own_app(seeded_url: str) -> FastAPI:
    return create_app(settings_for(seeded_url))


async def test_a_system_account_uploads_for_its_own_campus_alone(
    own_app: FastAPI, seeded_url: str, as_: As
) -> None:
    transport = httpx.ASGITransport(own_app)
    headers = {"Idempotency-Key": "1"}
    async with (
        own_app.router.lifespan_context(own_app),
        httpx.AsyncClient(transport=transport, base_url="http://yilian.test", headers=headers) as client,
    ):
        basic = await client.post(
            "/api/v1/upload/HP/patient", json=PATIENT, auth=("system.huangpu", PASSWORD)
        )
        token = await client.post("/api/v1/upload/HP/patient", json=PATIENT, headers=as_("system.huangpu"))
        other = await client.post("/api/v1/upload/HY/patient", json=PATIENT, headers=as_("system.huangpu"))
        wrong = await client.post("/api/v1/upload/HP/patient", json=PATIENT, auth=("system.huangpu", "x"))
    assert (basic.status_code, basic.json()["outcome"]) == (202, "stored")
    assert (token.status_code, token.json()["outcome"]) == (202, "duplicate")
    assert (other.status_code, wrong.status_code) == (403, 401)
    assert database_size(seeded_url) == 1
