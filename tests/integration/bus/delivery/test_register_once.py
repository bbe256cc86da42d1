"""一次建档: a person registered at one campus is known at another, and how long that took is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from adapters.mllp.outbound import MllpTransport
from bus.delivery.building import Building
from bus.fhir.systems import Systems
from bus.hl7.charset import decode
from bus.hl7.message import Message
from bus.identity.registrations import registrations, speeds
from bus.router.effects import Services
from bus.router.router import Router
from bus.rules.destinations import MllpDestination
from bus.rules.ruleset import RuleSet
from runtime.settings import CHECKOUT, Settings
from tests.integration.bus.clinic import engine_of, hl7, store
from tests.integration.bus.delivery.queue import delivering, mllp, states, until
from tests.integration.bus.delivery.receivers import MllpReceiver
from tests.integration.bus.delivery.rulebook import rulebook

PAGE = CHECKOUT / "docs" / "decide-who-is-who.md"
SINCE = datetime(2000, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> RuleSet:
    """The rules, with the lines that the page tells to write."""
    folder: Path = rulebook(tmp_path_factory.mktemp("rules"))
    lines = next(block for block in blocks("yaml") if block.startswith("destinations:"))
    (folder / "destinations" / "hp-registry.yaml").write_text(
        next(block for block in blocks("yaml") if block.startswith("name: hp-registry")), encoding="utf-8"
    )
    path = folder / "campuses" / "main" / "10-visit.yaml"
    path.write_text(path.read_text(encoding="utf-8") + "\n" + lines, encoding="utf-8")
    return RuleSet.load(folder)


def blocks(language: str) -> list[str]:
    parts = PAGE.read_text(encoding="utf-8").split(f"```{language}\n")[1:]
    return [part.split("```")[0] for part in parts]


def destination(port: int) -> MllpDestination:
    """The page's destination, at a port of this test."""
    spec = yaml.safe_load(next(block for block in blocks("yaml") if block.startswith("name: hp-registry")))
    return mllp(port, "hp-registry", hl7=spec["hl7"])


async def test_a_new_person_is_pushed_and_the_seconds_are_told(database_url: str, rules: RuleSet) -> None:
    ids = store(database_url, hl7("ADT^A04", "M1", visit="V1"), hl7("ADT^A03", "M1", visit="V1"))
    engine = engine_of(database_url)
    Router(engine, rules, Services()).answer(ids)
    campuses = {"hp-registry": "HP", "main-his": "MAIN"}
    async with MllpReceiver() as receiver:
        spec = destination(receiver.port)
        async with delivering(database_url, spec, Building(MllpTransport(spec), spec, Systems(Settings()))):
            await until(lambda: states(database_url, "hp-registry") == ["delivered"])
    [body] = receiver.bodies
    message = Message(decode(body, "gb18030"), "gb18030")
    assert [message.get(path) for path in ("PID-3.1", "PID-5.1", "PID-7", "MSH-4")] == [
        "M1",
        "王珅",
        "19800101",
        "MAIN",
    ]
    with engine.connect() as connection:
        [one] = registrations(connection, campuses, since=SINCE)
        [heard] = speeds(connection, campuses, since=SINCE)
        assert registrations(connection, campuses, since=SINCE, before=one.id) == []
        assert registrations(connection, campuses, since=SINCE, facility="HP") == []
        assert registrations(connection, campuses, since=datetime.now(UTC) + timedelta(hours=1)) == []
        assert speeds(connection, {"hp-registry": "MAIN"}, since=SINCE) == [], "its own campus is not told"
    assert (one.message_id, one.facility, one.known_before) == (ids[0], "MAIN", False)
    [told] = one.told
    assert (told.facility, told.state) == ("HP", "delivered")
    assert one.linked_at is not None
    assert told.answered_at is not None
    assert one.received_at <= one.linked_at <= told.answered_at
    assert told.seconds == (told.answered_at - one.received_at).total_seconds()
    assert (heard.facility, heard.told, heard.acknowledged) == ("HP", 1, 1)
    assert heard.p50 == heard.p95 == pytest.approx(told.seconds)


async def test_what_is_not_acknowledged_yet_has_no_seconds(database_url: str, rules: RuleSet) -> None:
    ids = store(database_url, hl7("ADT^A04", "M1", visit="V1"))
    engine = engine_of(database_url)
    Router(engine, rules, Services()).answer(ids)
    with engine.connect() as connection:
        [one] = registrations(connection, {"hp-registry": "HP"}, since=SINCE)
        [heard] = speeds(connection, {"hp-registry": "HP"}, since=SINCE)
    assert [(told.state, told.seconds) for told in one.told] == [("queued", None)]
    assert (heard.told, heard.acknowledged, heard.p50) == (1, 0, None)
