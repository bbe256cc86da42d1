"""Referring onward begins the next referral, with everything that the first one had."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from consortium.referral import applying, approvals, linked, store
from consortium.referral.capabilities import Approval
from consortium.referral.details import Details
from consortium.referral.errors import StepRefusedError
from consortium.referral.model import Need, Party, State, Step
from tests.integration.consortium.referral.applications import NOW, Case

RC, SD = Party.RECEIVING_COORDINATOR, Party.SENDING_DOCTOR
APPLICANT = Approval(code="applicant", name="申请医生", by="doctor")


@pytest.fixture
def case(connection: sa.Connection) -> Case:
    """Under review, approved, with a document."""
    made = Case(connection).begin(approvals=(APPLICANT,))
    applying.attach(connection, made.id, [uuid4()], "doctor.huangpu", NOW)
    made.take(Step.APPROVE, SD, user="doctor.huangpu")
    made.take(Step.SUBMIT, SD, user="doctor.huangpu")
    made.take(Step.TAKE, RC, user="coordinator.main")
    return made


def child_of(case: Case) -> UUID:
    onward = Details(hospital="HY", note="本院无空床")
    child = case.take(Step.REFER_ONWARD, RC, onward, user="coordinator.main", key="onward").child
    assert child is not None
    return child


def test_the_next_referral_needs_but_to_be_submitted(case: Case, connection: sa.Connection) -> None:
    child = child_of(case)
    first, second = store.get(connection, case.id), store.get(connection, child)
    assert (first["state"], first["onward_facility"]) == ("referred_onward", "HY")
    assert (second["state"], second["parent_id"], second["owner_user"]) == (
        "draft",
        case.id,
        "doctor.huangpu",
    )
    assert (second["sending_facility"], second["receiving_facility"]) == ("HP", "HY")
    for same in ("form", "criteria", "urgency", "direction", "created_by"):
        assert second[same] == first[same]
    carried, had = (
        [one["document_id"] for one in applying.documents(connection, id_)] for id_ in (child, case.id)
    )
    assert carried == had != []
    assert [one["username"] for one in approvals.of(connection, child)] == ["doctor.huangpu"]
    goes_on = Case(connection, id=child)
    assert goes_on.take(Step.SUBMIT, SD, user="doctor.huangpu").standing.state is State.SUBMITTED


def test_the_same_step_again_begins_no_other(case: Case, connection: sa.Connection) -> None:
    child = child_of(case)
    onward = Details(hospital="HY", note="本院无空床")
    assert case.take(Step.REFER_ONWARD, RC, onward, key="onward").child is None
    assert [one["id"] for one in linked.children(connection, case.id, None)] == [child]


def test_a_hospital_sees_the_children_that_it_has_part_in(case: Case, connection: sa.Connection) -> None:
    child = child_of(case)
    seen = {
        facility: [one["id"] for one in linked.children(connection, case.id, facility)]
        for facility in ("HP", "MAIN", "HY")
    }
    assert seen == {"HP": [child], "MAIN": [], "HY": [child]}


@pytest.mark.parametrize("hospital", ["HP", "MAIN"])
def test_onward_leads_to_a_third_hospital(case: Case, hospital: str) -> None:
    with pytest.raises(StepRefusedError, match="third") as refused:
        case.take(Step.REFER_ONWARD, RC, Details(hospital=hospital, note="无床"))
    assert refused.value.refusal.missing == (Need.HOSPITAL,)
