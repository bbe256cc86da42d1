"""Referrals are valid R4 in every state, as far as R4B tells (see tests/unit/api/fhir/test_r4)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from fhir.resources.R4B import get_fhir_model_class

from bus.fhir.resources import referral
from bus.fhir.systems import Systems
from consortium.referral.model import State
from runtime.settings import Settings

SYSTEMS = Systems(Settings())
ID, PERSON, SLOT = UUID(int=1), UUID(int=2), UUID(int=3)
AT = datetime(2026, 11, 20, 1, 30, tzinfo=UTC)
ROW: dict[str, Any] = {
    "id": ID,
    "parent_id": None,
    "person_id": PERSON,
    "direction": "up",
    "urgency": "emergency",
    "sending_facility": "HP",
    "receiving_facility": "MAIN",
    "state": "under_review",
    "number": 3,
    "form": {"name": "王珅", "reason": "需急诊介入", "diagnosis_codes": ["I21.9"]},
    "department": None,
    "slot_id": None,
    "slot_start": None,
    "slot_end": None,
    "deadline_at": None,
    "arrival_encounter": None,
    "outcome": None,
    "created_at": AT,
    "changed_at": AT,
}
BOOKED = {"slot_id": SLOT, "slot_start": AT, "slot_end": AT + timedelta(minutes=30), "department": "0101"}


def valid(resource: dict[str, Any]) -> dict[str, Any]:
    get_fhir_model_class(resource["resourceType"]).model_validate(resource)
    return resource


@pytest.mark.parametrize("state", State)
def test_every_state_has_its_place_in_fhir(state: State) -> None:
    row = ROW | BOOKED | {"state": state.value, "deadline_at": AT, "parent_id": SLOT, "outcome": "已行 PCI"}
    task = valid(referral.task(row, SYSTEMS))
    assert task["businessStatus"]["coding"][0]["code"] == state
    assert task["focus"] == {"reference": f"ServiceRequest/{ID}"}
    assert task["priority"] == "stat"
    asked = valid(referral.service_request(row, [SLOT], SYSTEMS))
    assert asked["category"][0]["coding"][0]["code"] == referral.CATEGORY
    assert asked["supportingInfo"] == [{"reference": f"DocumentReference/{SLOT}"}]
    booked = referral.appointment(row, SYSTEMS)
    assert booked is not None
    assert valid(booked)["basedOn"] == [{"reference": f"ServiceRequest/{ID}"}]


def test_a_state_of_which_nothing_else_is_known_is_valid() -> None:
    bare = ROW | {"person_id": None, "form": {}}
    assert valid(referral.task(bare, SYSTEMS))["for"] == {"type": "Patient", "display": "—"}
    assert "reasonCode" not in valid(referral.service_request(bare, [], SYSTEMS))
    assert referral.appointment(bare, SYSTEMS) is None


@pytest.mark.parametrize(
    ("party", "sender", "recipient"),
    [("sending_doctor", "HP", "MAIN"), ("receiving_coordinator", "MAIN", "HP")],
)
def test_a_message_goes_from_one_hospital_to_the_other(party: str, sender: str, recipient: str) -> None:
    message = {"id": SLOT, "party": party, "body": "请尽快", "at": AT}
    made = valid(referral.communication(message, ROW, SYSTEMS))
    assert made["sender"]["identifier"]["value"] == sender
    assert [one["identifier"]["value"] for one in made["recipient"]] == [recipient]
    assert made["payload"] == [{"contentString": "请尽快"}]
