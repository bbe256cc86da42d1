"""The numbers for Prometheus."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families

from api.app import create_app
from bus import systems
from bus.delivery import figures
from bus.router.effects import Services
from bus.router.router import Router
from bus.rules.ruleset import RuleSet
from runtime.settings import CHECKOUT
from tests.integration.api.conftest import As, settings_for
from tests.integration.bus.clinic import hl7, lab, rows, store
from tests.integration.bus.delivery.queue import enqueue, messages

TOKEN = "a scraper's token"
BEATS = {
    "ward-b": {"breaker": "open"},
    "lab-portal": {"breaker": "closed"},
    "no-line": {"problem": "its secret is missing"},
}
Samples = dict[tuple[str, tuple[str, ...]], float]


@pytest.fixture
def app(seeded_url: str) -> Iterator[FastAPI]:
    application = create_app(settings_for(seeded_url).model_copy(update={"metrics_token": TOKEN}))
    yield application
    application.state.platform.engine.dispose()


def counted(engine: sa.Engine, url: str) -> None:
    """Count all messages now: nobody else is at work, so the marker may be passed at once."""
    systems.advance(engine)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE bus.system_position SET marker_at = '-infinity'"))
    systems.advance(engine)
    assert rows(url, "SELECT position = marker FROM bus.system_position") == [(True,)]


async def scraped(client: httpx.AsyncClient, token: str) -> Samples:
    answer = await client.get("/metrics", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200, answer.text
    families = text_string_to_metric_families(answer.text)
    return {(s.name, tuple(s.labels.values())): s.value for f in families for s in f.samples}


async def test_the_bus_is_told_in_numbers_without_a_patient(
    client: httpx.AsyncClient, engine: sa.Engine, seeded_url: str
) -> None:
    ids = store(seeded_url, hl7("ADT^A28", "M777"), hl7("ADT^A31", "M888", sex="X"), lab("M777"))
    Router(engine, RuleSet.load(CHECKOUT / "rules"), Services()).answer(ids)
    store(seeded_url, lab("M999"))
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "UPDATE bus.inbox SET received_at = now() - interval '1 minute' WHERE patient_number = 'M999'"
            )
        )
        connection.execute(sa.text("INSERT INTO bus.heartbeat (name, pid) VALUES ('relay', 1)"))
    counted(engine, seeded_url)
    found = await scraped(client, TOKEN)
    assert found["yilian_messages_received_total", ("MAIN", "ORU^R01")] == 2
    assert found["yilian_messages", ("MAIN", "ORU^R01", "done")] == 1
    assert found["yilian_messages", ("MAIN", "ADT^A31", "held")] == 1
    assert found["yilian_work", ("ready",)] == 1
    assert found["yilian_held", ("unmapped_code", "MAIN")] == 1
    assert found["yilian_unmapped_codes", ("MAIN", "sex")] == 1
    assert 59 < found["yilian_queue_age_seconds", ()] < 90
    assert 59 < found["yilian_relay_lag_seconds", ()] < 90
    assert 0 <= found["yilian_heartbeat_age_seconds", ("relay",)] < 30
    assert found["yilian_ack_to_record_seconds", ("0.99",)] > 0
    text = (await client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})).text
    assert not any(patient in text for patient in ("M777", "M888", "M999", "王"))


async def test_delivery_is_told_by_destination(
    client: httpx.AsyncClient, engine: sa.Engine, seeded_url: str
) -> None:
    ward = enqueue(seeded_url, "ward-b", *messages(6, patients=6))
    enqueue(seeded_url, "lab-portal", *messages(1, start=9))
    with engine.begin() as connection:
        for id_, what in zip(
            ward,
            (
                "state = 'parked', code = 'AR'",
                "state = 'ambiguous'",
                "state = 'in_flight'",
                "queued_at = now() - interval '5 minutes'",
                "state = 'delivered', queued_at = now() - interval '20 s', sent_at = now() - interval '5 s',"
                " answered_at = now() - interval '3 s', done_at = now()",
                "state = 'delivered', sent_at = now() - interval '9 hours',"
                " answered_at = now() - interval '2 hours', done_at = now() - interval '2 hours'",
            ),
            strict=True,
        ):
            connection.execute(sa.text(f"UPDATE bus.delivery SET {what} WHERE id = {id_}"))  # noqa: S608 - constants of this test
        connection.execute(
            sa.text(
                "INSERT INTO bus.heartbeat (name, pid, detail) VALUES ('delivery', 1, CAST(:d AS jsonb))"
            ),
            {"d": json.dumps(BEATS)},
        )
    found = await scraped(client, TOKEN)
    counts = {labels: value for (name, labels), value in found.items() if name == "yilian_deliveries"}
    assert counts == {
        ("ward-b", "parked"): 1,
        ("ward-b", "ambiguous"): 1,
        ("ward-b", "in_flight"): 1,
        ("ward-b", "queued"): 1,
        ("lab-portal", "queued"): 1,
    }
    assert found["yilian_deliveries_stuck", ("ward-b",)] == 2
    assert found["yilian_deliveries_stuck", ("lab-portal",)] == 0
    assert 299 < found["yilian_delivery_queue_age_seconds", ("ward-b",)] < 330
    assert found["yilian_delivery_queue_age_seconds", ("lab-portal",)] < 30
    assert found["yilian_delivery_breaker_open", ("ward-b",)] == 1
    assert found["yilian_delivery_breaker_open", ("lab-portal",)] == 0
    assert ("yilian_delivery_breaker_open", ("no-line",)) not in found
    for quantile in ("0.5", "0.95", "0.99"):
        assert found["yilian_delivery_queued_seconds", ("ward-b", quantile)] == pytest.approx(15)
        assert found["yilian_delivery_ack_seconds", ("ward-b", quantile)] == pytest.approx(2)
    assert not any("lab-portal" in labels for name, labels in found if name == "yilian_delivery_ack_seconds")


async def test_the_numbers_of_delivery_come_by_index(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("SET LOCAL enable_seqscan = off"))
        for query in (figures.QUEUED, figures.ON_THE_WAY, figures.OLDEST, figures.TIMES):
            values = {"recent": figures.RECENT} if query is figures.TIMES else {}
            plan = connection.execute(sa.text(f"EXPLAIN {query.text}"), values).scalars().all()
            assert not any("Seq Scan on delivery" in line for line in plan), plan


async def test_metrics_are_for_the_token_and_for_those_who_run_the_bus(
    client: httpx.AsyncClient, as_: As
) -> None:
    assert (await client.get("/metrics")).status_code == 401
    wrong = await client.get("/metrics", headers={"Authorization": "Bearer nearly"})
    assert wrong.status_code == 401
    assert (await client.get("/metrics", headers=as_("ops"))).status_code == 200
    assert (await client.get("/metrics", headers=as_("doctor.main"))).status_code == 403
