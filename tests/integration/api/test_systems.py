"""The service registry over the API."""

from __future__ import annotations

import httpx
import sqlalchemy as sa

from tests.integration.api.conftest import As
from tests.integration.api.test_messages import sent
from tests.integration.bus.test_systems import counted

__all__ = ["sent"]
PATH = "/api/v1/systems"


async def test_systems_are_listed_for_those_who_may_see_messages(
    client: httpx.AsyncClient, as_: As, sent: list[str], engine: sa.Engine, seeded_url: str
) -> None:
    counted(engine, seeded_url)
    listed = (await client.get(PATH, headers=as_("ops"))).json()
    assert [(one["facility"], one["sender"], one["today"]) for one in listed] == [
        ("HP", "LIS", 1),
        ("MAIN", "LIS", 2),
    ]
    own = (await client.get(f"{PATH}?facility=HP", headers=as_("engineer"))).json()
    assert [one["facility"] for one in own] == ["HP"]
    assert (await client.get(PATH, headers=as_("doctor.main"))).status_code == 403
