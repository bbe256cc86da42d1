"""The worklist of unmapped codes and mapping one, over the API."""

from __future__ import annotations

import httpx
import pytest
import sqlalchemy as sa

from bus.router.effects import Services
from bus.router.router import Router
from bus.rules.ruleset import RuleSet
from consortium.access import audit
from runtime.settings import CHECKOUT
from tests.integration.api.conftest import As
from tests.integration.bus.clinic import hl7, states, store

PATH = "/api/v1/codes"
MAPPING = {"table": "sex", "facility": "MAIN", "code": "X", "target": "unknown", "why": "信息科确认"}


@pytest.fixture
def held(engine: sa.Engine, seeded_url: str) -> list[int]:
    """Two messages held for one code, and one that waits behind the first."""
    ids = store(
        seeded_url,
        hl7("ADT^A28", "M1", sex="X"),
        hl7("ADT^A04", "M1", visit="V1"),
        hl7("ADT^A28", "M2", sex="X"),
    )
    Router(engine, RuleSet.load(CHECKOUT / "rules"), Services()).answer(ids)
    return ids


async def test_a_code_is_listed_and_mapped(
    client: httpx.AsyncClient, as_: As, held: list[int], seeded_url: str, engine: sa.Engine
) -> None:
    page = (await client.get(f"{PATH}/unmapped", headers=as_("ops"))).json()
    assert page["total"] == 1
    [item] = page["items"]
    assert (item["facility"], item["code_table"], item["code"]) == ("MAIN", "sex", "X")
    assert (item["held"], item["behind"], item["mapped_to"]) == (2, 1, None)
    answer = await client.post(f"{PATH}/map", json=MAPPING, headers=as_("engineer"))
    assert answer.status_code == 200, answer.text
    assert answer.json()["released"] == [str(held[0]), str(held[2])]
    assert answer.json()["entry"]["mapped_by"] == "engineer"
    assert states(seeded_url) == dict.fromkeys(held, 0)
    with engine.connect() as connection:
        [newest] = audit.entries(connection, limit=1)
    assert (newest.entry.action, newest.entry.outcome) == ("code-map.write", "allowed")
    assert "信息科确认" in newest.entry.reason
    again = (await client.post(f"{PATH}/map", json=MAPPING, headers=as_("engineer"))).json()
    assert again == {"entry": None, "released": []}
    query = "table=sex&facility=MAIN&code=X"
    kept = (await client.get(f"{PATH}/history?{query}", headers=as_("engineer"))).json()["items"]
    assert [(entry["target"], entry["why"]) for entry in kept] == [("unknown", "信息科确认")]


@pytest.mark.parametrize(
    ("change", "status", "problem"),
    [
        ({"target": "malle"}, 400, "unknown-map"),
        ({"table": "seks"}, 400, "unknown-map"),
        ({"code": "M", "target": "female"}, 409, "conflict"),
        ({"why": ""}, 422, "validation"),
        ({"colour": "red"}, 422, "validation"),
    ],
)
async def test_what_cannot_be_mapped_is_a_problem(
    client: httpx.AsyncClient, as_: As, change: dict[str, str], status: int, problem: str
) -> None:
    answer = await client.post(f"{PATH}/map", json=MAPPING | change, headers=as_("engineer"))
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:yilian:problem:{problem}")


async def test_an_engineer_of_one_campus_maps_for_that_campus(
    client: httpx.AsyncClient, as_: As, held: list[int], engine: sa.Engine
) -> None:
    with engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE access.account SET organisation = 'HP' WHERE username = 'engineer'")
        )
    page = (await client.get(f"{PATH}/unmapped", headers=as_("engineer"))).json()
    assert page == {"items": [], "total": 0}
    for request in (f"{PATH}/unmapped?facility=MAIN", f"{PATH}/history?table=sex&facility=MAIN&code=X"):
        assert (await client.get(request, headers=as_("engineer"))).status_code == 403
    assert (await client.post(f"{PATH}/map", json=MAPPING, headers=as_("engineer"))).status_code == 403
    assert (await client.post(f"{PATH}/map", json=MAPPING, headers=as_("ops"))).status_code == 403


async def test_a_code_is_mapped_with_days_relationship_and_owner(client: httpx.AsyncClient, as_: As) -> None:
    said = {"valid_from": "2026-01-01", "valid_to": "2026-06-30", "relationship": "wider", "owner": "病案室"}
    answer = await client.post(f"{PATH}/map", json=MAPPING | said, headers=as_("engineer"))
    assert answer.status_code == 200, answer.text
    entry = answer.json()["entry"]
    assert {name: entry[name] for name in said} == said
    overlapping = MAPPING | {"valid_from": "2026-06-30"}
    refused = await client.post(f"{PATH}/map", json=overlapping, headers=as_("engineer"))
    assert (refused.status_code, refused.json()["type"]) == (400, "urn:yilian:problem:unknown-map")
    for wrong in ({"valid_from": "2026-02-30"}, {"relationship": "alike"}):
        bad = await client.post(f"{PATH}/map", json=MAPPING | wrong, headers=as_("engineer"))
        assert bad.status_code == 422
    url = "/fhir/ConceptMap/sex/$translate?code=X&date="
    for day, result in (("2026-06-30", True), ("2026-07-01", False)):
        found = (await client.get(url + day, headers=as_("doctor.main"))).json()["parameter"]
        assert found[0]["valueBoolean"] is result
    [part] = [
        one["part"]
        for one in (await client.get(f"{url}2026-01-01", headers=as_("ops"))).json()["parameter"][1:]
    ]
    assert part[0] == {"name": "equivalence", "valueCode": "wider"}
