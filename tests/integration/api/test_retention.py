"""Retention over the API."""

from __future__ import annotations

import httpx
import psycopg

from tests.integration.api.conftest import As
from tests.integration.api.test_messages import sent

__all__ = ["sent"]
PATH = "/api/v1/retention"


async def test_those_who_keep_the_bus_running_see_what_is_kept(
    client: httpx.AsyncClient, as_: As, sent: list[str], seeded_url: str
) -> None:
    with psycopg.connect(seeded_url) as connection:
        connection.execute("SELECT bus.make_body_day(current_date - 200)")
    shown = (await client.get(PATH, headers=as_("ops"))).json()
    assert shown["keep_days"] == {"bodies": 90, "traces": 365, "index": 1095}
    assert [day["goes"] for day in shown["days"]] == [True] + [False] * (len(shown["days"]) - 1)
    assert shown["kept_bodies"] == 0
    assert set(shown["rows"].values()) == {0}
    assert (await client.get(PATH, headers=as_("doctor.main"))).status_code == 403
    assert (await client.get(PATH)).status_code == 401
