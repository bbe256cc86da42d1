"""Master data over the API."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from consortium.access import audit
from runtime.settings import CHECKOUT
from tests.integration.api.conftest import As

PATH = "/api/v1/master-data"
EXAMPLE = (CHECKOUT / "docs/examples/departments.csv").read_bytes()
UTF8 = {"Content-Type": "text/csv; charset=utf-8"}


async def imported(
    client: httpx.AsyncClient, headers: dict[str, str], body: bytes = EXAMPLE, query: str = ""
) -> httpx.Response:
    return await client.post(f"{PATH}/department/import?{query}", content=body, headers=UTF8 | headers)


async def items(client: httpx.AsyncClient, headers: dict[str, str], path: str) -> Any:
    answer = await client.get(f"{PATH}/{path}", headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


async def test_departments_are_imported_and_read_as_of_a_day(
    client: httpx.AsyncClient, as_: As, engine: sa.Engine
) -> None:
    dry = (await imported(client, as_("engineer"), query="dry_run=true")).json()
    assert (dry["dry_run"], len(dry["added"]), dry["recorded"]) == (True, 5, 0)
    done = (await imported(client, as_("engineer"), query="source=departments.csv")).json()
    assert (len(done["added"]), done["recorded"]) == (5, 5)
    with engine.connect() as connection:
        [newest] = audit.entries(connection, limit=1)
    assert (newest.entry.action, newest.entry.resource) == ("master-data.write", "import of department")
    found = await items(client, as_("doctor.main"), "department?on=2026-02-01&owner=MAIN")
    assert [entry["code"] for entry in found] == ["01", "0101", "0102"]
    shown = "department/entry?code=0102&owner=MAIN&on="
    for day, name in (("2025-12-31", "呼吸内科"), ("2026-01-01", "呼吸与危重症医学科")):
        answer = (await client.get(f"{PATH}/{shown}{day}", headers=as_("ops"))).json()
        assert (answer["name"], answer["source"]) == (name, "departments.csv")
    assert (await client.get(f"{PATH}/{shown}2019-01-01", headers=as_("ops"))).status_code == 404
    assert len(await items(client, as_("ops"), "department/history?code=0102")) == 2
    [one] = await items(client, as_("ops"), "department/imports")
    assert (one["added"], one["imported_by"], one["source"]) == (5, "engineer", "departments.csv")


async def test_a_change_is_shown_and_the_same_again_is_none(client: httpx.AsyncClient, as_: As) -> None:
    await imported(client, as_("admin"))
    told = EXAMPLE.decode().replace("心血管内科", "心内科").encode("gb18030")
    headers = as_("admin") | {"Content-Type": 'text/csv; charset="gb18030"'}
    answer = await client.post(f"{PATH}/department/import", content=told, headers=headers)
    [changed] = answer.json()["changed"]
    assert changed["differences"] == [{"field": "name", "before": "心血管内科", "after": "心内科"}]
    exported = await client.get(f"{PATH}/department?format=csv", headers=as_("admin"))
    assert exported.headers["content-type"] == "text/csv; charset=utf-8"
    again = (await imported(client, as_("admin"), exported.content)).json()
    assert (again["unchanged"], again["recorded"]) == (5, 0)


async def test_pages_follow_each_other(client: httpx.AsyncClient, as_: As) -> None:
    await imported(client, as_("engineer"))
    codes, after = [], ""
    while True:
        query = f"on=2026-02-01&limit=2{after}"
        page = (await client.get(f"{PATH}/department?{query}", headers=as_("ops"))).json()
        codes += [entry["code"] for entry in page["items"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert codes == ["N01", "01", "0101", "0102"]
    assert (await client.get(f"{PATH}/department?after=x", headers=as_("ops"))).status_code == 400


async def test_mistakes_are_named_by_line(client: httpx.AsyncClient, as_: As) -> None:
    answer = await imported(client, as_("engineer"), EXAMPLE + b"ZZ,1,x,2020-01-01,,,,\n")
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:yilian:problem:invalid-file"
    [error] = answer.json()["errors"]
    assert error["field"] == "line 7, owner"
    assert await items(client, as_("ops"), "department") == []
    other = await client.post(f"{PATH}/department/import", json={}, headers=as_("engineer"))
    assert other.status_code == 415


async def test_who_works_for_one_campus_imports_that_campus_alone(
    client: httpx.AsyncClient, as_: As, engine: sa.Engine
) -> None:
    with engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE access.account SET organisation = 'HP' WHERE username = 'engineer'")
        )
    assert (await imported(client, as_("engineer"))).status_code == 403
    own = b"owner,code,name,valid_from\nHP,N01,x,2022-06-01\n"
    assert (await imported(client, as_("engineer"), own)).status_code == 200
    both = own + b"MAIN,N01,x,2022-06-01\n"
    assert (await imported(client, as_("engineer"), both)).status_code == 403
    told = await client.put(f"{PATH}/subscribers/x", json={"kinds": ["bed"]}, headers=as_("engineer"))
    assert told.status_code == 403
    assert (await imported(client, as_("doctor.main"))).status_code == 403
    assert (await client.get(f"{PATH}/department", headers=as_("patient.demo"))).status_code == 403


async def test_subscribers_come_and_go(client: httpx.AsyncClient, as_: As, engine: sa.Engine) -> None:
    for _ in range(2):
        answer = await client.put(
            f"{PATH}/subscribers/main-his", json={"kinds": ["department"]}, headers=as_("engineer")
        )
        assert (answer.json()["destination"], answer.json()["waiting"]) == ("main-his", 0)
        assert "no file of the deployed rules" in answer.json()["problem"]
    await imported(client, as_("engineer"))
    with engine.connect() as connection:
        told = connection.execute(sa.text("SELECT destination, count(*) FROM bus.outbox GROUP BY 1")).all()
    assert [tuple(row) for row in told] == [("master-data:main-his", 5)]
    [one] = await items(client, as_("ops"), "subscribers")
    assert (one["name"], one["waiting"]) == ("main-his", 5)
    gone = await client.delete(f"{PATH}/subscribers/main-his", headers=as_("engineer"))
    assert gone.status_code == 204
    again = await client.delete(f"{PATH}/subscribers/main-his", headers=as_("engineer"))
    assert again.status_code == 404


@pytest.mark.parametrize("kinds", [["beds"], []])
async def test_a_subscription_to_nothing_is_refused(
    client: httpx.AsyncClient, as_: As, kinds: list[str]
) -> None:
    answer = await client.put(f"{PATH}/subscribers/x", json={"kinds": kinds}, headers=as_("engineer"))
    assert answer.status_code in (400, 422)
