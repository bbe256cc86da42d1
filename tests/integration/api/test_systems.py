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
    assert [(one["facility"], one["sender"], one["today"]) for one in listed if one["last_seen"]] == [
        ("HP", "LIS", 1),
        ("MAIN", "LIS", 2),
    ]
    own = (await client.get(f"{PATH}?facility=HP", headers=as_("engineer"))).json()
    assert [(one["facility"], one["sender"]) for one in own] == [("HP", "HIS"), ("HP", "LIS")]
    assert (await client.get(PATH, headers=as_("doctor.main"))).status_code == 403


async def test_a_system_and_what_breaks_without_it_are_shown(
    client: httpx.AsyncClient, as_: As, sent: list[str], engine: sa.Engine, seeded_url: str
) -> None:
    counted(engine, seeded_url)
    lis = (await client.get(f"{PATH}/LIS?facility=MAIN", headers=as_("ops"))).json()
    assert (lis["owner"]["role"], lis["services"][0]["contract"]["version"]) == ("院本部检验科信息岗", "2.5")
    assert lis["flows"][0]["today"] == 2
    broken = (await client.get(f"{PATH}/LIS/impact?facility=MAIN", headers=as_("ops"))).json()
    assert {"name": "main-lab-report", "wholly": True} in broken["rules"]
    assert (await client.get(f"{PATH}/LIS", headers=as_("ops"))).status_code == 409
    assert (await client.get(f"{PATH}/XIS", headers=as_("ops"))).status_code == 404
    for path in (f"{PATH}/LIS?facility=MAIN", f"{PATH}/LIS/impact?facility=MAIN"):
        assert (await client.get(path, headers=as_("doctor.main"))).status_code == 403


async def test_gateways_are_listed_for_those_who_may_see_messages(
    client: httpx.AsyncClient, as_: As, engine: sa.Engine
) -> None:
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO bus.gateway (name, campuses, last_seen, spooled, oldest_seconds, detail) VALUES"
                " ('ns-front', '{NS}', clock_timestamp() - interval '20 s', 3, 40, CAST(:detail AS jsonb))"
            ),
            {"detail": '{"version": "1", "doors": {"mllp-his": {"accepted": 7}}}'},
        )
    [listed] = (await client.get(f"{PATH}/gateways", headers=as_("ops"))).json()
    assert (listed["name"], listed["campuses"], listed["spooled"]) == ("ns-front", ["NS"], 3)
    assert (listed["doors"], listed["full"]) == ({"mllp-his": {"accepted": 7}}, "")
    assert 60 <= listed["oldest_seconds"] < 90
    assert (await client.get(f"{PATH}/gateways", headers=as_("doctor.main"))).status_code == 403
    with engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM bus.gateway"))
