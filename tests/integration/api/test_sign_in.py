"""Signing in with a password, and being locked out."""

from __future__ import annotations

import httpx
import sqlalchemy as sa

from consortium.access import audit
from tests.integration.api.conftest import PASSWORD, As

SIGN_IN = "/api/v1/sign-in"


async def test_a_sample_user_signs_in_and_is_who_they_are(client: httpx.AsyncClient) -> None:
    signed = await client.post(SIGN_IN, json={"username": "doctor.huangpu", "password": PASSWORD})
    assert signed.status_code == 200
    assert signed.json()["expires_in"] == 900
    me = await client.get("/api/v1/me", headers={"Authorization": f"Bearer {signed.json()['access_token']}"})
    assert me.json() == {
        "username": "doctor.huangpu",
        "display_name": "黄埔院区医生",
        "role": "doctor",
        "organisation": "HP",
        "person_id": None,
        "permissions": [],
    }


async def test_a_wrong_password_and_an_unknown_name_are_told_the_same(client: httpx.AsyncClient) -> None:
    wrong = await client.post(SIGN_IN, json={"username": "ops", "password": "wrong"})
    unknown = await client.post(SIGN_IN, json={"username": "nobody", "password": "wrong"})
    assert (wrong.status_code, unknown.status_code) == (401, 401)
    assert wrong.json()["detail"] == unknown.json()["detail"]
    assert wrong.headers["WWW-Authenticate"].startswith("Bearer")


async def test_guessing_leads_to_a_wait_that_also_the_right_password_does_not_end(
    client: httpx.AsyncClient,
) -> None:
    for _ in range(5):
        guess = await client.post(SIGN_IN, json={"username": "ops", "password": "guess"})
        assert guess.status_code == 401
    right = await client.post(SIGN_IN, json={"username": "ops", "password": PASSWORD})
    assert right.status_code == 429
    assert 1 <= int(right.headers["Retry-After"]) <= 60
    another = await client.post(SIGN_IN, json={"username": "engineer", "password": PASSWORD})
    assert another.status_code == 200


async def test_a_success_forgives_earlier_failures(client: httpx.AsyncClient) -> None:
    for _ in range(2):
        for _ in range(4):
            await client.post(SIGN_IN, json={"username": "ops", "password": "typo"})
        right = await client.post(SIGN_IN, json={"username": "ops", "password": PASSWORD})
        assert right.status_code == 200


async def test_sign_ins_and_failures_are_audited_without_the_name_of_a_stranger(
    client: httpx.AsyncClient, engine: sa.Engine
) -> None:
    await client.post(SIGN_IN, json={"username": "my secret password", "password": "ops"})
    await client.post(SIGN_IN, json={"username": "ops", "password": "wrong"})
    await client.post(SIGN_IN, json={"username": "ops", "password": PASSWORD})
    with engine.connect() as connection:
        seen = [(r.entry.username, r.entry.outcome) for r in audit.entries(connection, limit=10)]
    assert seen == [("ops", "allowed"), ("ops", "refused"), ("-", "refused")]


async def test_a_closed_account_is_refused_at_once(
    client: httpx.AsyncClient, engine: sa.Engine, as_: As
) -> None:
    assert (await client.get("/api/v1/me", headers=as_("ops"))).status_code == 200
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE access.account SET disabled = true WHERE username = 'ops'"))
    assert (await client.get("/api/v1/me", headers=as_("ops"))).status_code == 401
    right = await client.post(SIGN_IN, json={"username": "ops", "password": PASSWORD})
    assert right.status_code == 401


async def test_a_wrong_token_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/v1/me", headers={"Authorization": "Bearer abc"})
    assert answer.status_code == 401
