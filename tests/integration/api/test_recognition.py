"""Mutual recognition over the API: another campus's result spares the repeat."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa

from consortium.records.model import Change, Kind, Patient
from tests.integration.api.conftest import As
from tests.integration.api.records import ID_CARD, NAME, lab, write

BLOOD = "http://loinc.org|58410-2"


@pytest.fixture
def wang(engine: sa.Engine) -> UUID:
    """A person of two campuses: a blood count at MAIN yesterday, an old one at HP."""
    now = datetime.now(UTC)
    found = UUID(int=0)
    for place, (facility, days) in enumerate((("MAIN", 1), ("HP", 8))):
        patient = Patient(number=f"{facility}-1", name=NAME, id_card=ID_CARD)
        said = lab(f"L-{facility}", at=now - timedelta(days=days))
        calm = tuple(one.model_copy(update={"flag": "high"}) for one in said.results)
        report = said.model_copy(update={"results": calm})
        found = write(engine, facility, place, Change(kind=Kind.REPORT, patient=patient, reports=(report,)))
    return found


async def ask(client: httpx.AsyncClient, headers: dict[str, str], person: UUID, *codes: str) -> Any:
    query = {"patient": str(person), "code": codes}
    answer = await client.get("/api/v1/recognition", params=query, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_another_campus_spares_the_repeat(client: httpx.AsyncClient, as_: As, wang: UUID) -> None:
    [answer] = await ask(client, as_("doctor.huangpu"), wang, BLOOD)
    assert (answer["advice"], answer["name"], answer["valid_days"]) == ("recognise", "血常规", 3)
    [recent] = answer["recognised"]
    assert (recent["facility"], recent["number"]) == ("MAIN", "L-MAIN")
    [old] = answer["not_recognised"]
    assert old["facility"] == "HP"
    assert "older" in old["reasons"][0]
    report = await client.get(f"/fhir/{recent['report']}", headers=as_("doctor.huangpu"))
    assert report.status_code == 200


async def test_a_campus_asks_by_its_own_code(client: httpx.AsyncClient, as_: As, wang: UUID) -> None:
    own = "urn:oid:1.2.156.10011.99.1.9|LP001"
    answers = await ask(client, as_("doctor.main"), wang, own, "http://loinc.org|24627-2", "urn:x|y")
    assert [one["advice"] for one in answers] == ["recognise", "repeat", "not_in_programme"]


async def test_it_is_refused_to_who_may_not_read_and_audited(
    client: httpx.AsyncClient, as_: As, wang: UUID, engine: sa.Engine
) -> None:
    query = {"patient": str(wang), "code": BLOOD}
    refused = await client.get("/api/v1/recognition", params=query, headers=as_("ops"))
    assert refused.status_code == 403
    await ask(client, as_("doctor.huangpu"), wang, BLOOD)
    with engine.connect() as connection:
        rows = connection.execute(sa.text("SELECT resource, persons FROM access.audit")).all()
    assert ("GET /api/v1/recognition", [wang]) in [(row.resource, row.persons) for row in rows]
