"""One message in every form, over the API."""

from __future__ import annotations

import base64

import httpx
import pytest
import sqlalchemy as sa

from bus.envelope import Arrival
from bus.inbox import Inbox
from tests.integration.api.conftest import As
from tests.integration.api.records import everything
from tests.integration.api.test_messages import PATH, newest, sent
from tests.integration.bus.clinic import hl7, lab

__all__ = ["sent"]


@pytest.fixture
async def stored(seeded_url: str) -> list[str]:
    """A report, a patient whose sex has no mapping, and an upload."""
    upload = Arrival(
        facility="HP",
        sender="EMR",
        control_id="1",
        message_type="rest:patient",
        body='{"patient": {"number": "HP-1", "name": "王珅"}, "tags": [1, null]}'.encode(),
        charset="utf-8",
        protocol="rest",
        endpoint="/api/v1/upload/HP/patient",
        digest=b"1" * 32,
        patient_number="HP-1",
    )
    async with Inbox(seeded_url, "a routing key for tests") as inbox:
        return [str((await inbox.accept(one)).id) for one in (lab("M1"), hl7("ADT^A31", sex="X"), upload)]


async def test_every_form_is_shown_and_that_is_audited_with_the_person(
    client: httpx.AsyncClient, as_: As, stored: list[str], engine: sa.Engine
) -> None:
    person = everything(engine, "MAIN", "M1", 0)
    shown = await client.get(f"{PATH}/{stored[0]}/forms", headers=as_("engineer"))
    assert shown.status_code == 200, shown.text
    forms = shown.json()
    assert "王".encode("gb18030") in base64.b64decode(forms["raw"])
    assert "王^珅" in forms["text"]
    parts = {part["place"]: part["value"] for part in forms["parts"]}
    assert (parts["PID-5"], parts["OBX-5"], parts["MSH-9"]) == ("王^珅", "4.1", "ORU^R01")
    assert forms["outcome"]["rule"] == "main-lab-report"
    assert forms["outcome"]["change"]["reports"][0]["number"] == "R1"
    assert forms["answer"]["code"] == "AA"
    assert newest(engine) == ("message-body.read", "allowed", [person])


async def test_forms_are_for_who_was_given_the_permission(
    client: httpx.AsyncClient, as_: As, stored: list[str], engine: sa.Engine
) -> None:
    for user in ("ops", "admin", "doctor.main"):
        assert (await client.get(f"{PATH}/{stored[0]}/forms", headers=as_(user))).status_code == 403
    assert newest(engine)[:2] == ("message-body.read", "refused")


async def test_what_would_be_held_says_why_and_nothing_is_written(
    client: httpx.AsyncClient, as_: As, stored: list[str], engine: sa.Engine
) -> None:
    outcome = (await client.get(f"{PATH}/{stored[1]}/forms", headers=as_("engineer"))).json()["outcome"]
    assert (outcome["code"], outcome["field"], outcome["change"]) == ("unmapped_code", "PID-8", None)
    assert outcome["unmapped"] == ["sex X"]
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM bus.unmapped")).scalar_one() == 0


async def test_an_upload_is_taken_apart_by_its_keys(
    client: httpx.AsyncClient, as_: As, stored: list[str]
) -> None:
    forms = (await client.get(f"{PATH}/{stored[2]}/forms", headers=as_("engineer"))).json()
    assert [(p["place"], p["value"]) for p in forms["parts"]] == [
        ("patient.number", "HP-1"),
        ("patient.name", "王珅"),
        ("tags.0", "1"),
    ]
    assert forms["answer"]["code"] == "202"


async def test_a_refusal_has_its_bytes_and_the_reason_its_sender_was_told(
    client: httpx.AsyncClient, as_: As, sent: list[str]
) -> None:
    forms = (await client.get(f"{PATH}/{sent[-1]}/forms", headers=as_("engineer"))).json()
    assert (forms["answer"]["code"], forms["outcome"]) == ("AR", None)
    assert forms["answer"]["reason"].startswith("unknown_type: ")
    assert base64.b64decode(forms["raw"]).startswith(b"MSH")
    assert (await client.get(f"{PATH}/999999/forms", headers=as_("engineer"))).status_code == 404
