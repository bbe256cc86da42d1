"""What is written over FHIR goes to the destinations of rules, queued with its effects."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from bus.delivery.snapshot import restored
from bus.forms import CurrentRules, forms
from bus.journey import journey
from bus.rules.versions import service
from bus.rules.versions.folder import read_folder
from runtime.settings import CHECKOUT
from tests.fhir_requests import bundle, entry, patient, whole_day
from tests.integration.api.test_fhir_writes import Program, program, rows  # noqa: F401 - a fixture
from tests.unit.bus.rules.test_destinations import HOOK, WARD
from tests.unit.bus.rules.test_lint import TESTED
from tests.unit.bus.rules.test_ruleset import folder

RULES = {
    "90-clinical.yaml": """\
name: hp-fhir-clinical
facility: HP
description: orders and reports as HL7 v2, and the request as it came
match: msg.protocol == "fhir" && msg.kind in ["order", "report"]
destinations: [lab-hook, {to: ward-b, send: hl7}]
""",
    "91-people.yaml": """\
name: hp-fhir-people
facility: HP
description: patients as they are known
match: msg.protocol == "fhir" && msg.kind == "patient"
destinations: [{to: ward-b, send: hl7}]
""",
}


def deployed(engine: sa.Engine, tmp_path: Path, files: dict[str, str] | None = None) -> str:
    made = folder(tmp_path, TESTED)
    (made / "destinations").mkdir(exist_ok=True)
    (made / "destinations" / "ward-b.yaml").write_text(WARD)
    (made / "destinations" / "lab-hook.yaml").write_text(HOOK)
    for name, text in (RULES if files is None else files).items():
        (made / "campuses" / "huiya" / name).write_text(text)
    return service.deploy(engine, read_folder(made), "engineer").digest


QUEUED = "SELECT destination, form, part, body IS NULL, state FROM bus.delivery ORDER BY id"


async def test_each_change_goes_where_its_rule_sends_it_and_the_request_once(
    program: Program,  # noqa: F811 - the fixture
    engine: sa.Engine,
    tmp_path: Path,
) -> None:
    version = deployed(engine, tmp_path)
    answer = await program.post(whole_day())
    assert answer.status_code == 200, answer.text
    assert rows(engine, QUEUED) == [
        ("ward-b", "hl7", 1, False, "queued"),
        ("lab-hook", "raw", 0, True, "queued"),
        ("ward-b", "hl7", 3, False, "queued"),
        ("ward-b", "hl7", 4, False, "queued"),
    ]
    built = [
        bytes(body)
        for (body,) in rows(engine, "SELECT body FROM bus.delivery WHERE form = 'hl7' ORDER BY id")
    ]
    changes = [restored(body) for body in built]
    assert [(change.kind.value, provenance.part) for change, provenance in changes] == [
        ("patient", 1),
        ("order", 3),
        ("report", 4),
    ]
    assert {change.patient.name for change, _ in changes} == {"欧阳珅"}, "all that is known goes out"
    keys = rows(engine, "SELECT count(DISTINCT patient_key) FROM bus.delivery")
    assert keys == [(1,)], "they keep the patient's order"
    with engine.connect() as connection:
        [message_id] = connection.execute(sa.text("SELECT id FROM bus.inbox")).scalars()
        told = journey(connection, str(message_id))
        shown = forms(
            connection,
            str(message_id),
            CurrentRules(CHECKOUT / "rules"),
            lambda _name, message: message.as_it_is,
        )
    assert told is not None
    [recorded] = [step.detail for step in told.steps if step.step == "recorded"]
    assert recorded["rule"] == "hp-fhir-people, hp-fhir-clinical"
    assert recorded["rules"] == version[: len(recorded["rules"])]
    assert [step.detail for step in told.steps if step.step == "delivery_queued"] == [
        {"destination": "lab-hook"},
        {"destination": "ward-b", "part": 1},
        {"destination": "ward-b", "part": 3},
        {"destination": "ward-b", "part": 4},
    ]
    assert sorted(one.destination for one in told.outgoing if one.destination != "workflow") == [
        "lab-hook",
        *["ward-b"] * 3,
    ]
    assert shown is not None
    assert len(shown.sent) == 4


async def test_a_repeated_and_a_refused_request_queue_nothing(
    program: Program,  # noqa: F811 - the fixture
    engine: sa.Engine,
    tmp_path: Path,
) -> None:
    deployed(engine, tmp_path)
    await program.post(bundle(entry(patient())), Idempotency_Key="K1")
    await program.post(bundle(entry(patient())), Idempotency_Key="K1")
    assert rows(engine, QUEUED) == [("ward-b", "hl7", 0, False, "queued")]
    refused = await program.post(bundle(entry(patient(number="HP-8")), entry(patient(number="HP-9"))))
    assert refused.status_code == 422
    assert len(rows(engine, QUEUED)) == 1


async def test_the_set_that_is_active_decides_from_the_next_request_on(
    program: Program,  # noqa: F811 - the fixture
    engine: sa.Engine,
    tmp_path: Path,
) -> None:
    answer = await program.post(patient(number="HP-1"))
    assert answer.status_code == 201, answer.text
    assert rows(engine, QUEUED) == [], "no set is active yet"
    deployed(engine, tmp_path / "one")
    await program.post(patient(number="HP-2"))
    deployed(engine, tmp_path / "none", {})
    await program.post(patient(number="HP-3"))
    found = rows(
        engine,
        "SELECT patient_number FROM bus.delivery d JOIN bus.inbox i ON i.id = d.message_id",
    )
    assert found == [("HP-2",)]


async def test_a_rule_that_fails_on_a_request_writes_nothing_and_is_named(
    program: Program,  # noqa: F811 - the fixture
    engine: sa.Engine,
    tmp_path: Path,
) -> None:
    text = RULES["91-people.yaml"].replace(' == "patient"', ' == "patient" && 1 / size(field("no")) > 0')
    deployed(engine, tmp_path, {"91-people.yaml": text})
    answer = await program.post(patient())
    assert answer.status_code == 503
    assert "hp-fhir-people" in answer.json()["issue"][0]["details"]["text"]
    assert rows(engine, "SELECT count(*) FROM bus.inbox") == [(0,)]
    assert rows(engine, "SELECT count(*) FROM bus.refusal") == [(1,)]


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_one_resource_goes_as_it_came(
    program: Program,  # noqa: F811 - the fixture
    engine: sa.Engine,
    tmp_path: Path,
    method: str,
) -> None:
    deployed(
        engine, tmp_path, {"a.yaml": RULES["91-people.yaml"].replace("{to: ward-b, send: hl7}", "lab-hook")}
    )
    created = await program.post(patient())
    if method == "PUT":
        id_ = created.headers["location"].rsplit("/", 1)[1]
        answer = await program.put(patient(id=id_, gender="male"))
        assert answer.status_code == 200, answer.text
    query = (
        "SELECT i.message_type, d.form, d.part FROM bus.delivery d JOIN bus.inbox i ON i.id = d.message_id"
    )
    assert rows(engine, query) == [("fhir:Patient", "raw", 0)] * (1 if method == "POST" else 2)
