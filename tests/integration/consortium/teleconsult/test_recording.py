"""Consultations in PostgreSQL: each step once, with slots, room, notices, audit and signed opinion."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from consortium.access import audit
from consortium.scheduling import rows
from consortium.scheduling.errors import SlotTakenError
from consortium.teleconsult import recording, requesting, slots, store
from consortium.teleconsult.details import Details, Opinion
from consortium.teleconsult.errors import RequestChangedError, StepRefusedError, UnknownConsultationError
from consortium.teleconsult.model import Kind, Need, Party, State, Step
from consortium.teleconsult.requesting import Content
from consortium.teleconsult.rooms import service
from tests.integration.consortium.teleconsult import consultations
from tests.integration.consortium.teleconsult.consultations import (
    CC,
    CONTENT,
    EX,
    EXPERTS,
    HALF,
    HOST,
    NINE,
    RD,
    Case,
)

WHY = Details(note="原因已说明")
OPINION = Details(opinion=Opinion(findings="心影增大", opinion="建议行 PCI", advice="转上级医院"))


@pytest.fixture
def connection(engine: sa.Engine) -> Iterator[sa.Connection]:
    with engine.connect() as made:
        consultations.staff(made)
        yield made


@pytest.fixture
def times(connection: sa.Connection) -> list[Details]:
    """Two times at which both experts offer a slot."""
    mine, theirs = (consultations.slots(connection, expert, 0, 1) for expert in EXPERTS)
    return [Details(slots=pair) for pair in zip(mine, theirs, strict=True)]


def standing_of(connection: sa.Connection, id_: UUID) -> list[str]:
    found = [rows.active(connection, slots.key(id_, expert)) for expert in EXPERTS]
    return [one.state for one in found if one]


def inside(connection: sa.Connection, id_: UUID) -> set[str | None]:
    room = service.room(connection, id_)
    return {one.username for one in room.participants if one.removed_at is None}


def test_a_video_consultation_goes_from_its_draft_to_its_close(connection, times) -> None:
    case = Case(connection).accepted()
    case.take(Step.SCHEDULE, CC, times[0])
    assert standing_of(connection, case.id) == ["held", "held"]
    room = service.room(connection, case.id)
    assert (room.session.opens_at, room.session.closes_at) == (NINE - HALF / 3, NINE + 2 * HALF)
    assert inside(connection, case.id) == {*EXPERTS, HOST, None}
    case.take(Step.CONFIRM, EX, user=EXPERTS[0])
    case.take(Step.CONFIRM, EX, user=EXPERTS[0])
    assert case.take(Step.CONFIRM, RD, user=HOST).standing.state is State.SCHEDULED
    assert case.take(Step.CONFIRM, EX, user=EXPERTS[1]).standing.state is State.CONFIRMED
    assert standing_of(connection, case.id) == ["confirmed", "confirmed"]
    case.take(Step.BEGIN, Party.SYSTEM, user=None)
    case.take(Step.WRITE, EX, OPINION, user=EXPERTS[0])
    assert service.room(connection, case.id).session.ended_at is not None
    case.take(Step.SIGN, EX, user=EXPERTS[0])
    case.take(Step.EVALUATE, RD, Details(rating=5, note="及时"), user=HOST)
    case.take(Step.CHARGE, CC, Details.model_validate({"fee": "300.00"}))
    assert case.take(Step.CLOSE, RD, user=HOST).deadline_at is None
    row = store.get(connection, case.id)
    assert (row["state"], str(row["fee"])) == ("closed", "300.00")
    assert [one["rating"] for one in store.evaluations(connection, case.id)] == [5]
    told = {(notice.template, notice.recipient or notice.duty) for notice in case.told}
    assert told >= {
        ("consultation-turn", "consulting_coordinator"),
        ("consultation-turn", EXPERTS[1]),
        ("consultation-step", HOST),
        ("consultation-turn", HOST),
    }


def test_the_signed_opinion_has_the_hash_of_its_words_and_is_never_changed(connection) -> None:
    case = Case(connection, Kind.ECG).accepted(EXPERTS[0])
    case.take(Step.WRITE, EX, OPINION, user=EXPERTS[0])
    case.take(Step.SIGN, EX, user=EXPERTS[0])
    signed = store.signed(connection, case.id)
    assert signed is not None
    assert bytes(signed["sha256"]) == hashlib.sha256(signed["content"].encode()).digest()
    said = json.loads(signed["content"])
    assert (said["signer"], said["opinion"]["opinion"]) == (EXPERTS[0], "建议行 PCI")
    with pytest.raises(DBAPIError, match="appended only"):
        connection.execute(sa.text("UPDATE teleconsult.signed_opinion SET signer = 'x'"))


def test_the_same_key_again_changes_and_tells_nothing(connection) -> None:
    case = Case(connection)
    first = case.take(Step.SUBMIT, RD, user=HOST, key="k")
    told = list(case.told)
    assert case.take(Step.SUBMIT, RD, user=HOST, key="k") == first
    assert case.told == told
    assert len(store.events(connection, case.id)) == 1


@pytest.mark.parametrize(
    ("kind", "content", "missing"),
    [
        (Kind.VIDEO, Content(consent=CONTENT.consent), Need.QUESTION),
        (Kind.VIDEO, Content("？"), Need.CONSENT),
        (Kind.IMAGING, Content("？", (), CONTENT.consent), Need.MATERIAL),
    ],
)
def test_what_the_request_lacks_refuses_its_submission(connection, kind, content, missing) -> None:
    case = Case(connection, kind, content=content)
    with pytest.raises(StepRefusedError) as refused:
        case.take(Step.SUBMIT, RD)
    assert refused.value.refusal.missing == (missing,)
    requesting.change(connection, case.id, 1, CONTENT, case.now)
    case.take(Step.SUBMIT, RD)
    with pytest.raises(RequestChangedError):
        requesting.change(connection, case.id, 2, CONTENT, case.now)


def test_times_are_found_at_which_every_expert_is_free(connection) -> None:
    mine = consultations.slots(connection, EXPERTS[0], 0, 1, 3)
    theirs = consultations.slots(connection, EXPERTS[1], 1, 2, 3)
    found = slots.common(connection, EXPERTS, NINE, NINE + 10 * HALF)
    assert [(one.start, one.slots) for one in found] == [
        (NINE + HALF, (mine[1], theirs[0])),
        (NINE + 3 * HALF, (mine[2], theirs[2])),
    ]
    Case(connection).accepted().take(Step.SCHEDULE, CC, Details(slots=found[0].slots))
    assert slots.common(connection, EXPERTS, NINE, NINE + 10 * HALF) == found[1:]


def test_slots_that_are_not_one_of_each_expert_at_one_time_are_refused(connection, times) -> None:
    case = Case(connection).accepted()
    for wrong in (times[0].slots[:1], (times[0].slots[0], times[1].slots[1])):
        with pytest.raises(StepRefusedError, match="same beginning"):
            case.take(Step.SCHEDULE, CC, Details(slots=wrong))


def test_a_time_that_another_consultation_holds_is_refused_and_nothing_changes(connection, times) -> None:
    Case(connection).accepted().take(Step.SCHEDULE, CC, times[0])
    late = Case(connection).accepted()
    with pytest.raises(SlotTakenError), connection.begin_nested():
        late.take(Step.SCHEDULE, CC, times[0])
    assert store.get(connection, late.id)["state"] == "accepted"
    assert late.take(Step.SCHEDULE, CC, times[1]).standing.state is State.SCHEDULED


def test_a_moved_time_frees_the_old_one_and_is_confirmed_anew(connection, times) -> None:
    case = Case(connection).accepted()
    case.take(Step.SCHEDULE, CC, times[0])
    case.take(Step.CONFIRM, EX, user=EXPERTS[0])
    case.take(Step.RESCHEDULE, CC, times[1])
    row = store.get(connection, case.id)
    assert (row["starts_at"], row["confirmed_by"]) == (NINE + HALF, [])
    assert Case(connection).accepted().take(Step.SCHEDULE, CC, times[0]).standing.state is State.SCHEDULED


@pytest.mark.parametrize(
    ("step", "party"), [(Step.CANCEL, RD), (Step.EXPIRE, Party.SYSTEM), (Step.REFUSE_TIME, Party.PATIENT)]
)
def test_every_ending_and_a_refused_time_give_the_slots_back(connection, times, step, party) -> None:
    case = Case(connection).accepted()
    case.take(Step.SCHEDULE, CC, times[0])
    case.take(step, party, WHY)
    assert standing_of(connection, case.id) == []
    over = step is not Step.REFUSE_TIME
    assert (service.room(connection, case.id).session.ended_at is not None) == over
    assert inside(connection, case.id) == ({*EXPERTS, HOST, None} if over else set())


def test_substitutes_take_the_place_of_experts_in_calendar_and_room(connection, times) -> None:
    case = Case(connection).accepted()
    case.take(Step.SCHEDULE, CC, times[0])
    case.take(Step.SUBSTITUTE, CC, Details(experts=EXPERTS[1:]))
    assert standing_of(connection, case.id) == []
    case.take(Step.SCHEDULE, CC, Details(slots=times[0].slots[1:]))
    assert inside(connection, case.id) == {EXPERTS[1], HOST, None}


def test_nobody_is_assigned_who_is_no_doctor_and_a_claim_takes_what_is_free_alone(connection) -> None:
    case = Case(connection, Kind.RECORD)
    case.take(Step.SUBMIT, RD)
    with pytest.raises(StepRefusedError, match="no doctor has the username nobody"):
        case.take(Step.ASSIGN, CC, Details(experts=("nobody",)))
    case.take(Step.ASSIGN, CC, Details(department="0101"))
    case.take(Step.CLAIM, Party.CONSULTING_DOCTOR, user=EXPERTS[0])
    assert store.get(connection, case.id)["experts"] == [EXPERTS[0]]
    with pytest.raises(StepRefusedError):
        case.take(Step.CLAIM, Party.CONSULTING_DOCTOR, user=EXPERTS[1])


def test_an_urgent_one_opens_its_room_at_once(connection) -> None:
    case = Case(connection, urgency="urgent")
    case.take(Step.SUBMIT, RD)
    case.take(Step.CLAIM, Party.CONSULTING_DOCTOR, user=EXPERTS[0])
    case.take(Step.BEGIN, EX, user=EXPERTS[0])
    session = service.room(connection, case.id).session
    assert session.opens_at < case.now < session.closes_at


def test_each_step_is_audited_and_an_unknown_consultation_named(connection) -> None:
    case = Case(connection)
    case.take(Step.SUBMIT, RD, user=HOST)
    entries = [one.entry for one in audit.entries(connection, limit=10)]
    entry = next(one for one in entries if one.resource == f"consultation {case.id}")
    assert (entry.username, entry.reason) == (HOST, "submit: draft → requested")
    with pytest.raises(UnknownConsultationError):
        recording.remind(connection, UUID(int=1), 0, case.tell)


def test_whoever_owes_the_next_step_is_reminded_once_until_a_step_is_taken(connection) -> None:
    case = Case(connection)
    number = case.take(Step.SUBMIT, RD, user=HOST).number
    case.told.clear()
    for at in (number, number, number - 1):
        recording.remind(connection, case.id, at, case.tell)
    assert [(one.template, one.duty) for one in case.told] == [("consultation-turn", CC.value)]
