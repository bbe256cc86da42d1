"""The projection: each step once, with its notices and audit, and nothing that the table does not allow."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa

from consortium.access import audit
from consortium.notifications import contacts
from consortium.referral import applying, approvals, listing, recording, searching, store
from consortium.referral.capabilities import Approval
from consortium.referral.details import Details
from consortium.referral.errors import FormChangedError, StepRefusedError, UnknownReferralError
from consortium.referral.model import Need, Party, State, Step
from consortium.referral.searching import Search
from tests.integration.consortium.referral.applications import CALENDAR, FORM, NOW, Case, application

WHY = Details(note="原因已说明")
CHAIN = (
    Approval(code="applicant", name="申请医生", by="doctor"),
    Approval(code="department_head", name="科主任", by="doctor", duty="department_head"),
    Approval(code="medical_affairs", name="医务科", by="coordinator"),
)
SLOT = Details(slot_start=NOW + timedelta(days=2), slot_end=NOW + timedelta(days=2, minutes=30))
RC, RD = Party.RECEIVING_COORDINATOR, Party.RECEIVING_DOCTOR
SD, SC = Party.SENDING_DOCTOR, Party.SENDING_COORDINATOR


@pytest.fixture
def case(connection: sa.Connection) -> Case:
    return Case(connection).begin()


def test_a_step_is_recorded_with_event_owner_and_deadline(case: Case) -> None:
    after = case.take(Step.SUBMIT, SD, user="doctor.huangpu")
    row = store.get(case.connection, case.id)
    assert (row["state"], row["owner"], row["owner_facility"], row["number"]) == (
        "submitted",
        "receiving_coordinator",
        "MAIN",
        1,
    )
    assert after.deadline_at == row["deadline_at"] == case.now + timedelta(minutes=480)
    (event,) = store.events(case.connection, case.id)
    assert (event["step"], event["from_state"], event["to_state"], event["username"]) == (
        "submit",
        "draft",
        "submitted",
        "doctor.huangpu",
    )


def test_the_same_key_again_changes_and_tells_nothing(case: Case) -> None:
    first = case.take(Step.SUBMIT, SD, key="k")
    told = list(case.told)
    assert case.take(Step.SUBMIT, SD, key="k") == first
    assert case.told == told
    assert len(store.events(case.connection, case.id)) == 1


def test_the_whole_way_and_who_is_told_of_what(case: Case) -> None:
    case.accepted()
    case.take(Step.BOOK, RC, SLOT)
    case.take(Step.CONFIRM, Party.PATIENT)
    case.take(Step.ARRIVE, Party.SYSTEM, Details(encounter="V9"), user=None)
    case.take(Step.BEGIN_CARE, RD)
    case.take(Step.RETURN_OUTCOME, RD, Details(note="已行 PCI，恢复良好"))
    case.take(Step.CLOSE, SD)
    row = store.get(case.connection, case.id)
    assert (row["state"], row["owner"], row["deadline_at"], row["outcome"]) == (
        "closed",
        None,
        None,
        "已行 PCI，恢复良好",
    )
    assert (row["department"], row["arrival_encounter"]) == ("0101", "V9")
    told = {(notice.what, notice.party, notice.facility) for notice in case.told}
    assert told >= {
        ("submit", "receiving_coordinator", "MAIN"),
        ("book", "patient", "HP"),
        ("arrive", "sending_doctor", "HP"),
        ("return_outcome", "sending_doctor", "HP"),
    }
    assert len({(notice.workflow_id, notice.step) for notice in case.told}) == len(case.told)


def test_a_refused_cancellation_brings_back_owner_and_booked_time(case: Case) -> None:
    case.accepted().take(Step.BOOK, RC, SLOT)
    before = store.get(case.connection, case.id)
    case.take(Step.REQUEST_CANCEL, SD, WHY)
    asked = store.get(case.connection, case.id)
    assert (asked["state"], asked["asked"], asked["resume"]["state"]) == (
        "cancel_requested",
        "sending",
        "booked",
    )
    case.take(Step.DECLINE_CANCEL, RC, WHY)
    after = store.get(case.connection, case.id)
    assert (after["state"], after["resume"], after["asked"]) == ("booked", None, None)
    assert (after["slot_end"], after["deadline_at"]) == (before["slot_end"], before["deadline_at"])


@pytest.mark.parametrize(
    ("said", "missing"),
    [
        ({"consented": False}, Need.CONSENT),
        ({"criteria": ()}, Need.CRITERION),
        ({"form": FORM.model_copy(update={"reason": ""})}, Need.FORM),
        ({"approvals": CHAIN[:1]}, Need.APPROVAL),
        ({"direction": "down"}, Need.FORM),
    ],
)
def test_what_the_records_lack_refuses_the_submission(
    connection: sa.Connection, said: dict[str, object], missing: Need
) -> None:
    case = Case(connection).begin(**said)  # type: ignore[arg-type]
    with pytest.raises(StepRefusedError) as refused:
        case.take(Step.SUBMIT, SD)
    assert refused.value.refusal.missing == (missing,)
    assert store.events(connection, case.id) == []


def approve(case: Case, user: str, party: Party) -> None:
    case.take(Step.APPROVE, party, user=user)


def test_approvals_are_given_in_their_order_by_different_people(connection: sa.Connection) -> None:
    connection.execute(
        sa.text(
            "INSERT INTO access.account (username, display_name, role, organisation, password_hash)"
            " VALUES ('head', '科主任', 'doctor', 'HP', '-')"
        )
    )
    contacts.assign(connection, contacts.Duty("HP", "department_head"), "head")
    case = Case(connection).begin(approvals=CHAIN)
    applicant, head, office = ("doctor.huangpu", SD), ("head", SD), ("office", SC)
    for giver, others in (
        (applicant, [office]),
        (head, [office, applicant]),
        (office, [applicant, head]),
    ):
        for other in others:
            with pytest.raises(StepRefusedError) as refused:
                approve(case, *other)
            assert refused.value.refusal.code == "not-yours"
        with pytest.raises(StepRefusedError) as early:
            case.take(Step.SUBMIT, SD)
        assert early.value.refusal.missing == (Need.APPROVAL,)
        approve(case, *giver)
    assert [(notice.what, notice.party, notice.duty) for notice in case.told] == [
        ("next_approval", SD, "department_head"),
        ("next_approval", SC, None),
        ("approve", SD, None),
    ]
    given = [one["username"] for one in approvals.of(connection, case.id)]
    assert given == ["doctor.huangpu", "head", "office"]
    with pytest.raises(StepRefusedError, match="nothing to approve"):
        approve(case, *office)
    assert case.take(Step.SUBMIT, SD).standing.state is State.SUBMITTED


def test_one_person_gives_one_approval(connection: sa.Connection) -> None:
    office = Approval(code="office", name="转诊办", by="coordinator")
    case = Case(connection).begin(approvals=(office, CHAIN[2]))
    approve(case, "office", SC)
    with pytest.raises(StepRefusedError, match="somebody else"):
        approve(case, "office", SC)


def test_a_changed_form_is_to_be_approved_again(connection: sa.Connection) -> None:
    case = Case(connection).begin(approvals=CHAIN[:1])
    assert [row["id"] for row in approvals.waiting(connection, "HP", "doctor", 10)] == [case.id]
    approve(case, "doctor.huangpu", SD)
    assert approvals.waiting(connection, "HP", "doctor", 10) == []
    applying.change_form(connection, case.id, 1, FORM, ["critical"], NOW)
    assert [one["username"] for one in approvals.of(connection, case.id)] == [None]
    assert [event["username"] for event in store.events(connection, case.id)] == ["doctor.huangpu"]


def test_escalation_counts_and_the_next_hand_off_begins_anew(case: Case) -> None:
    case.take(Step.SUBMIT, SD)
    case.take(Step.ESCALATE, Party.SYSTEM, user=None)
    assert store.get(case.connection, case.id)["escalation_level"] == 1
    case.take(Step.TAKE, RC)
    assert store.get(case.connection, case.id)["escalation_level"] == 0


def test_a_reminder_tells_the_owner_unless_the_step_was_taken(case: Case) -> None:
    after = case.take(Step.SUBMIT, SD)
    case.told.clear()
    recording.remind(case.connection, case.id, after.number - 1, case.tell)
    assert case.told == []
    recording.remind(case.connection, case.id, after.number, case.tell)
    assert [(notice.what, notice.party) for notice in case.told] == [("remind", "receiving_coordinator")]


def test_a_patient_is_reminded_of_the_booked_time(case: Case) -> None:
    after = case.accepted().take(Step.BOOK, RC, SLOT)
    assert after.remind_at == SLOT.slot_end - timedelta(days=1)  # type: ignore[operator]
    case.told.clear()
    recording.remind(case.connection, case.id, after.number, case.tell)
    assert {notice.party for notice in case.told} == {"receiving_coordinator", "patient"}


ACCOUNT = sa.text(
    "INSERT INTO access.account (username, display_name, role, organisation, permissions, password_hash)"
    " VALUES (:username, :username, :role, :organisation, '{}', 'x')"
)


def test_delegation_goes_to_a_colleague_of_the_same_role_and_hospital_alone(case: Case) -> None:
    case.take(Step.SUBMIT, SD)
    for username, role, organisation in (
        ("second.main", "coordinator", "MAIN"),
        ("doctor.main", "doctor", "MAIN"),
        ("second.hp", "coordinator", "HP"),
    ):
        case.connection.execute(ACCOUNT, {"username": username, "role": role, "organisation": organisation})
    for stranger in ("doctor.main", "second.hp", "nobody"):
        with pytest.raises(StepRefusedError):
            case.take(Step.DELEGATE, RC, Details(delegate=stranger))
    case.take(Step.DELEGATE, RC, Details(delegate="second.main"))
    row = store.get(case.connection, case.id)
    assert (row["state"], row["owner_user"]) == ("submitted", "second.main")


def test_each_step_is_in_the_audit_once(case: Case) -> None:
    case.take(Step.SUBMIT, SD, key="k")
    case.take(Step.SUBMIT, SD, key="k")
    case.take(Step.ESCALATE, Party.SYSTEM, user=None)
    entries = [one.entry for one in audit.entries(case.connection, limit=10)]
    assert [(entry.action, entry.reason) for entry in entries] == [
        ("referral.step", "escalate: submitted → submitted"),
        ("referral.step", "submit: draft → submitted"),
    ]


def test_the_way_is_appended_only(case: Case) -> None:
    case.take(Step.SUBMIT, SD)
    with pytest.raises(sa.exc.ProgrammingError, match="appended only"):
        case.connection.execute(sa.text("DELETE FROM referral.event"))


def test_a_form_changed_in_between_is_refused(case: Case) -> None:
    assert applying.change_form(case.connection, case.id, 1, FORM, ("critical",), NOW) == 2
    with pytest.raises(FormChangedError, match="version 2"):
        applying.change_form(case.connection, case.id, 1, FORM, (), NOW)
    case.take(Step.SUBMIT, SD)
    with pytest.raises(FormChangedError, match="submitted"):
        applying.change_form(case.connection, case.id, 2, FORM, (), NOW)


def test_the_same_application_twice_is_one(case: Case) -> None:
    assert applying.begin(case.connection, application(case.id), NOW, CALENDAR) is False


def test_a_consent_taken_back_counts(case: Case) -> None:
    word = applying.Consent(id=uuid4(), given=False, by_relation="patient", method="oral")
    applying.consent(case.connection, case.id, word, "doctor.huangpu", NOW + timedelta(minutes=1))
    with pytest.raises(StepRefusedError):
        case.take(Step.SUBMIT, SD)


def test_an_unknown_referral_is_said_so(connection: sa.Connection) -> None:
    with pytest.raises(UnknownReferralError):
        Case(connection).take(Step.SUBMIT, SD)


def test_a_worklist_has_emergencies_first_and_is_of_one_hospital(connection: sa.Connection) -> None:
    routine = Case(connection).begin()
    emergency = Case(connection).begin(urgency="emergency")
    for case in (routine, emergency):
        case.take(Step.SUBMIT, SD)
    owed = listing.owed(connection, "MAIN", (RC, SC), (), 10)
    assert [row["id"] for row in owed] == [emergency.id, routine.id]
    assert listing.owed(connection, "HP", (RC, SC), (), 10) == []
    assert listing.counts(connection, "MAIN", (RC, SC)) == {"submitted": (2, 0)}
    page = searching.search(connection, Search(whose="HP", limit=1))
    rest = searching.search(connection, Search(whose="HP", limit=5, after=page.after))
    assert {row["id"] for row in page.rows + rest.rows} == {routine.id, emergency.id}


def test_a_draft_is_the_senders_alone(connection: sa.Connection) -> None:
    case = Case(connection).begin()
    found = {who: searching.count(connection, Search(whose=who)) for who in ("HP", "MAIN", "HY")}
    assert found == {"HP": 1, "MAIN": 0, "HY": 0}
    case.take(Step.SUBMIT, SD)
    assert searching.count(connection, Search(whose="MAIN")) == 1
