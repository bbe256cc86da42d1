"""What came in as HL7 v2, REST or FHIR goes out as FHIR and as HL7 v2, completed by what is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class

from bus.delivery.building import Building
from bus.delivery.transport import Answer, OnWire, Outgoing, Verdict
from bus.fhir.systems import Systems
from bus.hl7.charset import decode
from bus.hl7.message import Message
from bus.router.effects import Services
from bus.router.router import Router
from bus.rules.destinations import AnyDestination, MllpDestination
from bus.rules.ruleset import RuleSet
from runtime.settings import Settings
from tests.integration.bus.clinic import engine_of, hl7, lab, rows, store
from tests.integration.bus.delivery.queue import BREAKER, RETRY, delivering, states, until
from tests.integration.bus.delivery.receivers import http_receiver
from tests.integration.bus.delivery.rulebook import rulebook
from tests.integration.bus.delivery.test_webhook import way, webhook

BOTH = "\ndestinations: [{to: hook, send: fhir}, {to: ward, send: hl7}]\n"
SYSTEMS = Systems(Settings())


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> RuleSet:
    folder: Path = rulebook(tmp_path_factory.mktemp("rules"))
    path = folder / "campuses" / "main" / "30-lab-report.yaml"
    path.write_text(path.read_text(encoding="utf-8") + BOTH, encoding="utf-8")
    return RuleSet.load(folder)


@pytest.fixture
def reported(database_url: str, rules: RuleSet) -> str:
    """A database in which a patient is known by an ADT, and a report names them by number and name alone."""
    ids = store(database_url, hl7("ADT^A04", "M1", visit="V1"), lab("M1", flag="HH", value="6.80"))
    Router(engine_of(database_url), rules, Services()).answer(ids)
    return database_url


class Wire:
    """A transport that keeps what it was given."""

    def __init__(self) -> None:
        self.got: list[Outgoing] = []

    async def send(self, message: Outgoing, on_wire: OnWire) -> Answer:
        await on_wire(message.as_it_is)
        self.got.append(message)
        return Answer(Verdict.TAKEN, "AA", b"")

    async def check(self) -> None:
        """It is as its file says."""

    async def close(self) -> None:
        """Nothing is open."""


def ward(**more: Any) -> MllpDestination:
    return MllpDestination(
        name="ward",
        description="a ward of the test",
        facility="HP",
        kind="mllp",
        address="127.0.0.1:9",
        **{"retry": RETRY, "breaker": BREAKER, **more},
    )


def building(wire: Any, spec: AnyDestination) -> Building:
    return Building(wire, spec, SYSTEMS)


async def test_a_report_is_posted_as_a_bundle(reported: str) -> None:
    with http_receiver() as hook:
        spec = webhook(hook.url)
        async with delivering(reported, spec, building(way(spec), spec)):
            await until(lambda: states(reported, "hook") == ["delivered"])
    [(headers, body)] = hook.got
    assert headers["content-type"] == "application/fhir+json"
    assert b'"value":6.80' in body
    bundle = json.loads(body)
    get_fhir_model_class("Bundle").model_validate(bundle)
    types = [one["resource"]["resourceType"] for one in bundle["entry"]]
    assert types == ["Patient", "DiagnosticReport", "Observation"]
    patient, report, result = (one["resource"] for one in bundle["entry"])
    assert patient["birthDate"] == "1980-01-01"
    assert report["subject"] == result["subject"] == {"reference": bundle["entry"][0]["fullUrl"]}
    assert report["result"] == [{"reference": bundle["entry"][2]["fullUrl"]}]
    assert bundle["entry"][1]["request"] == {
        "method": "PUT",
        "url": "DiagnosticReport?identifier=urn:oid:1.2.156.10011.99.1.4|R1",
    }


async def test_a_report_is_sent_as_hl7_in_the_destination_s_charset(reported: str) -> None:
    wire, spec = (
        Wire(),
        ward(hl7={"version": "2.4", "charset": "GB 18030-2000", "receiving_application": "WARD"}),
    )
    async with delivering(reported, spec, building(wire, spec)):
        await until(lambda: states(reported, "ward") == ["delivered"])
    [sent] = wire.got
    message = Message(decode(sent.body, "gb18030"), "gb18030")
    assert [segment.name for segment in message.all] == ["MSH", "PID", "OBR", "OBX"]
    paths = ("MSH-4", "MSH-5", "MSH-12", "MSH-18", "PID-3.1", "PID-5.1", "OBR-3.1", "OBX-5", "OBX-8")
    assert [message.get(path) for path in paths] == [
        *("MAIN", "WARD", "2.4", "GB 18030-2000"),
        *("M1", "王珅", "R1", "6.80", "HH"),
    ]
    assert message.get("PID-7") == "19800101", "the report says it not; the registration did"
    assert message.get("MSH-10") == f"YL{sent.id}"


async def test_a_charset_that_lacks_a_character_parks_it_with_the_field(reported: str) -> None:
    wire, spec = Wire(), ward(hl7={"charset": "8859/1"})
    async with delivering(reported, spec, building(wire, spec)):
        await until(lambda: states(reported, "ward") == ["parked"])
    assert wire.got == []
    [(code, reason)] = rows(reported, "SELECT code, reason FROM bus.delivery WHERE state = 'parked'")
    assert code == "unencodable"
    assert "PID-5" in reason
    assert "王" not in reason
