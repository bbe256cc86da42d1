"""What the API says of itself, and of the adapters that it serves."""

from __future__ import annotations

import asyncio

import httpx
import sqlalchemy as sa
from fastapi import FastAPI

from adapters.rest.examples import EXAMPLES
from tests.integration.api.conftest import PASSWORD

BEAT = sa.text("SELECT detail FROM bus.heartbeat WHERE name = 'api'")


async def test_the_heartbeat_counts_the_uploads_of_each_adapter(
    app: FastAPI, client: httpx.AsyncClient, engine: sa.Engine
) -> None:
    async with app.router.lifespan_context(app):
        headers = {"Idempotency-Key": "H-1"}
        auth = ("system.huangpu", PASSWORD)
        path = "/api/v1/upload/HP/patient"
        good = await client.post(path, json=EXAMPLES["patient"], headers=headers, auth=auth)
        bad = await client.post(path, json={}, headers=headers, auth=auth)
        assert (good.status_code, bad.status_code) == (202, 422)
        wanted = {"rest": {"accepted": 1, "refused": 1, "unavailable": 0}}
        async with asyncio.timeout(20):
            while (detail := _detail(engine)) is None or detail["rest"] != wanted["rest"]:  # noqa: ASYNC110 - a row sets no event
                await asyncio.sleep(0.05)
        assert detail["soap"] == {"accepted": 0, "refused": 0, "unavailable": 0}
        assert detail["ihe"] == {"accepted": 0, "refused": 0, "unavailable": 0}


def _detail(engine: sa.Engine) -> dict[str, dict[str, int]] | None:
    with engine.connect() as connection:
        found: dict[str, dict[str, int]] | None = connection.execute(BEAT).scalar()
        return found
