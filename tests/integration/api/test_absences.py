"""Absences and duties over the API."""

from __future__ import annotations

import httpx
import pytest

from tests.integration.api.conftest import As

SINCE, UNTIL = "2026-12-01T00:00:00+08:00", "2026-12-08T00:00:00+08:00"
DUTY = "/api/v1/duties/MAIN/referral-review"


async def away(
    client: httpx.AsyncClient, headers: dict[str, str], who: str, cover: str | None
) -> httpx.Response:
    body = {"username": who, "since": SINCE, "until": UNTIL, "covered_by": cover}
    return await client.post("/api/v1/absences", headers=headers, json=body)


async def acting(client: httpx.AsyncClient, headers: dict[str, str]) -> dict[str, object]:
    answer = await client.get(DUTY, headers=headers, params={"at": "2026-12-02T09:00:00+08:00"})
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


async def test_who_covers_acts_until_the_absence_is_withdrawn(client: httpx.AsyncClient, as_: As) -> None:
    coordinator, doctor = as_("coordinator.main"), as_("doctor.main")
    assert (await acting(client, doctor))["reason"] == "nobody holds the duty"
    held = await client.put(DUTY, headers=coordinator, json={"holders": ["doctor.main"]})
    assert held.status_code == 204
    absence = (await away(client, doctor, "doctor.main", "coordinator.main")).json()["id"]
    assert (await away(client, doctor, "doctor.main", "coordinator.main")).json()["id"] == absence
    found = await acting(client, as_("doctor.huiya"))
    assert (found["username"], found["instead_of"]) == ("coordinator.main", "doctor.main")
    circle = await away(client, coordinator, "coordinator.main", "doctor.main")
    assert (circle.status_code, circle.json()["type"]) == (409, "urn:yilian:problem:conflict")
    withdrawn = await client.delete(f"/api/v1/absences/{absence}", headers=coordinator)
    assert withdrawn.status_code == 204
    assert (await acting(client, doctor))["username"] == "doctor.main"


@pytest.mark.parametrize(
    ("caller", "who", "cover", "status"),
    [
        ("doctor.main", "coordinator.main", None, 403),  # not one's own
        ("coordinator.huangpu", "doctor.main", None, 403),  # of another campus
        ("coordinator.main", "doctor.main", "doctor.huangpu", 200),  # somebody elsewhere covers
        ("coordinator.main", "nobody", None, 404),
        ("coordinator.main", "doctor.main", "nobody", 404),
        ("doctor.main", "doctor.main", "doctor.main", 422),
    ],
)
async def test_absences_are_ones_own_or_of_ones_campus(
    client: httpx.AsyncClient, as_: As, caller: str, who: str, cover: str | None, status: int
) -> None:
    assert (await away(client, as_(caller), who, cover)).status_code == status


async def test_duties_are_given_by_their_campus(client: httpx.AsyncClient, as_: As) -> None:
    holders = {"holders": ["doctor.main"]}
    refused = [
        (await client.put(DUTY, headers=as_(who), json=holders)).status_code
        for who in ("coordinator.huangpu", "doctor.main", "ops")
    ]
    assert refused == [403, 403, 403]
    twice = {"holders": ["doctor.main", "doctor.main"]}
    assert (await client.put(DUTY, headers=as_("coordinator.main"), json=twice)).status_code == 422
