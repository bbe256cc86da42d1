"""Critical values over the API; the workflow behind the acknowledgement has its own tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI

from api.app import create_app
from consortium.access import audit
from consortium.errors import ConflictError, RetryableError
from runtime.settings import Settings
from tests.integration.api.conftest import As, Chart, connected, settings_for
from workflows.critical_value.model import Acknowledged

PATH = "/api/v1/critical-values"
NOW = datetime(2026, 11, 20, 2, tzinfo=UTC)


class Workflows:
    """Stands in for the running workflows; remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[UUID, str, str, str]] = []
        self.error: Exception | None = None

    async def acknowledge(
        self, settings: Settings, id_: UUID, user: str, note: str, key: str
    ) -> Acknowledged:
        if self.error:
            raise self.error
        self.told.append((id_, user, note, key))
        return Acknowledged(critical_value_id=id_, user=user, at=NOW)


@pytest.fixture
def workflows() -> Workflows:
    return Workflows()


@pytest.fixture
def app(chart: Chart, workflows: Workflows) -> Iterator[FastAPI]:
    application = create_app(settings_for(chart.url))
    application.state.platform = replace(application.state.platform, acknowledge=workflows.acknowledge)
    yield application
    application.state.platform.engine.dispose()


async def first(client: httpx.AsyncClient, headers: dict[str, str]) -> dict[str, object]:
    page = (await client.get(f"{PATH}?limit=1", headers=headers)).json()
    item = page["items"][0]
    assert isinstance(item, dict)
    return item


async def test_a_doctor_sees_the_open_ones_of_the_campus_in_pages(
    client: httpx.AsyncClient, as_: As, chart: Chart
) -> None:
    main = (await client.get(PATH, headers=as_("doctor.main"))).json()["items"]
    assert {item["person_id"] for item in main} == {str(chart.wang), str(chart.li)}
    assert {(item["facility"], item["state"], item["value"], item["item_name"]) for item in main} == {
        ("MAIN", "open", "6.80", "钾")
    }
    page = (await client.get(f"{PATH}?limit=1", headers=as_("doctor.main"))).json()
    rest = (await client.get(f"{PATH}?after={page['next']}", headers=as_("doctor.main"))).json()
    assert [item["id"] for item in page["items"] + rest["items"]] == [item["id"] for item in main]
    done = (await client.get(f"{PATH}?state=acknowledged", headers=as_("doctor.main"))).json()
    assert done == {"items": [], "next": None}


async def test_another_campus_is_refused(client: httpx.AsyncClient, as_: As) -> None:
    item = await first(client, as_("doctor.huangpu"))
    for method, path in (("GET", f"{PATH}/{item['id']}"), ("POST", f"{PATH}/{item['id']}/acknowledge")):
        answer = await client.request(method, path, headers=as_("doctor.main"))
        assert answer.status_code == 403
        assert answer.headers["content-type"] == "application/problem+json"
    assert (await client.get(f"{PATH}?facility=HP", headers=as_("doctor.main"))).status_code == 403


async def test_a_doctor_takes_note_and_that_is_audited(
    client: httpx.AsyncClient, as_: As, workflows: Workflows, chart: Chart
) -> None:
    item = await first(client, as_("doctor.huangpu"))
    answer = await client.post(
        f"{PATH}/{item['id']}/acknowledge", json={"note": "复查血钾"}, headers=as_("doctor.huangpu")
    )
    assert answer.json() == {
        "critical_value_id": item["id"],
        "user": "doctor.huangpu",
        "at": "2026-11-20T02:00:00Z",
    }
    assert workflows.told == [
        (UUID(str(item["id"])), "doctor.huangpu", "复查血钾", "acknowledge-doctor.huangpu")
    ]
    with connected(chart.url).connect() as connection:
        newest = audit.entries(connection, limit=1)[0].entry
    assert (newest.action, newest.outcome, newest.persons) == (
        "critical-value.acknowledge",
        "allowed",
        [chart.wang],
    )


async def test_a_key_of_the_caller_reaches_the_workflow(
    client: httpx.AsyncClient, as_: As, workflows: Workflows
) -> None:
    item = await first(client, as_("doctor.huangpu"))
    headers = as_("doctor.huangpu") | {"Idempotency-Key": "abc"}
    assert (await client.post(f"{PATH}/{item['id']}/acknowledge", headers=headers)).status_code == 200
    assert workflows.told[0][2:] == ("", "abc")


@pytest.mark.parametrize(
    ("error", "status"),
    [(ConflictError("acknowledged by another"), 409), (RetryableError("no answer"), 503)],
)
async def test_what_the_workflow_refuses_is_a_problem(
    client: httpx.AsyncClient, as_: As, workflows: Workflows, error: Exception, status: int
) -> None:
    item = await first(client, as_("doctor.huangpu"))
    workflows.error = error
    answer = await client.post(f"{PATH}/{item['id']}/acknowledge", headers=as_("doctor.huangpu"))
    assert (answer.status_code, answer.json()["detail"]) == (status, str(error))


async def test_a_coordinator_looks_and_does_not_take_note(client: httpx.AsyncClient, as_: As) -> None:
    item = await first(client, as_("coordinator.huangpu"))
    headers = as_("coordinator.huangpu")
    assert (await client.get(f"{PATH}/{item['id']}", headers=headers)).json() == item
    assert (await client.post(f"{PATH}/{item['id']}/acknowledge", headers=headers)).status_code == 403


async def test_one_that_is_not_there_is_not_found(client: httpx.AsyncClient, as_: As) -> None:
    answer = await client.get(f"{PATH}/{UUID(int=1)}", headers=as_("doctor.main"))
    assert answer.status_code == 404


async def test_a_note_that_postgresql_does_not_store_is_refused_before_the_workflow(
    client: httpx.AsyncClient, as_: As
) -> None:
    answer = await client.post(
        f"{PATH}/{UUID(int=1)}/acknowledge", json={"note": "已补钾\0"}, headers=as_("doctor.main")
    )
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:yilian:problem:validation")
