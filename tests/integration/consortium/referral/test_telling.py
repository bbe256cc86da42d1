"""Who is told of a referral, by which channel, in which words, once: from a step to the doubles."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa

from consortium.notifications import inbox
from consortium.notifications.contacts import Duty
from consortium.notifications.inbox import Reader
from consortium.notifications.model import Channel
from consortium.referral import recording
from consortium.referral.details import Details
from consortium.referral.links import Links
from consortium.referral.model import Party, Step
from consortium.referral.notices import reference
from consortium.referral.telling import Telling
from consortium.scheduling import absences
from consortium.scheduling.absence import Absence
from tests.integration.bus.notifying.rig import Rig, rig
from tests.integration.consortium.referral.applications import Case

MAIN, DEPUTY, DOCTOR, COLLEAGUE = "coordinator.main", "deputy.main", "doctor.huangpu", "colleague.huangpu"
PHONES = {MAIN: "13800138001", DEPUTY: "13800138002", DOCTOR: "13800138003", COLLEAGUE: "13800138004"}
LINKS = Links("http://127.0.0.1:8080", "a key for tests only, 32 bytes or more")
ACCOUNT = sa.text(
    "INSERT INTO access.account (username, display_name, role, organisation, password_hash)"
    " VALUES (:username, '某人', :role, :organisation, '-')"
)


@pytest.fixture
def told(database_url: str) -> Iterator[Rig]:
    """Doubles, and staff of two hospitals who have telephones; the main campus's coordinator has the duty."""
    with rig(database_url) as made:
        with made.engine.begin() as connection:
            for username in PHONES:
                role = "coordinator" if username in (MAIN, DEPUTY) else "doctor"
                organisation = "MAIN" if username in (MAIN, DEPUTY) else "HP"
                values = {"username": username, "role": role, "organisation": organisation}
                connection.execute(ACCOUNT, values)
        for username, phone in PHONES.items():
            made.contact(username, phone)
        made.duty(Duty("MAIN", "referral_coordinator"), MAIN)
        yield made


class Told(Case):
    """A referral whose steps are told by notifications."""

    def tell(self, connection: sa.Connection, notice: object) -> None:
        Telling(LINKS)(connection, notice)  # type: ignore[arg-type]


def submit(rig_: Rig, urgency: str = "routine") -> UUID:
    """Submit one, and try the same step again."""
    with rig_.engine.begin() as connection:
        case = Told(connection).begin(urgency=urgency)
        case.take(Step.SUBMIT, Party.SENDING_DOCTOR, user=DOCTOR, key="submit")
    with rig_.engine.begin() as connection:
        Told(connection, id=case.id).take(Step.SUBMIT, Party.SENDING_DOCTOR, user=DOCTOR, key="submit")
    return case.id


def sent(rig_: Rig) -> list[tuple[str, str]]:
    """What went out by SMS: to whom, and what it says."""
    rig_.spread()
    line = rig_.line(Channel.SMS)
    while line.once():
        pass
    return [(one["to"], one["text"]) for one in rig_.kept[Channel.SMS].sent]


def templates(rig_: Rig, username: str) -> list[str | None]:
    """What somebody reads in the application."""
    with rig_.engine.connect() as connection:
        return [entry.template for entry in inbox.page(connection, Reader(username))]


def away(rig_: Rig, username: str, covered_by: str | None) -> None:
    now = datetime.now(UTC)
    absence = Absence(username, now - timedelta(hours=1), now + timedelta(days=3), covered_by)
    with rig_.engine.begin() as connection:
        absences.record(connection, absence, by=username)


def test_a_submitted_referral_is_told_to_the_receiving_coordinator_once(told: Rig) -> None:
    id_ = submit(told)
    ((to, text),) = sent(told)
    assert to == PHONES[MAIN]
    assert reference(id_) in text
    assert "黄埔院区" in text
    assert "王珅" not in text
    assert templates(told, MAIN) == ["referral-received"]


def test_an_emergency_is_told_in_words_that_go_out_at_night(told: Rig) -> None:
    submit(told, urgency="emergency")
    ((_, text),) = sent(told)
    assert "急诊绿色通道" in text
    assert templates(told, MAIN) == ["referral-emergency"]


def test_who_covers_for_a_coordinator_who_is_away_is_told_too(told: Rig) -> None:
    away(told, MAIN, DEPUTY)
    submit(told)
    assert {to for to, _ in sent(told)} == {PHONES[MAIN], PHONES[DEPUTY]}
    assert templates(told, DEPUTY) == ["referral-received"]


@pytest.mark.parametrize(("covered_by", "reader"), [(None, DOCTOR), (COLLEAGUE, COLLEAGUE)])
def test_the_sending_doctor_is_told_or_whoever_covers(told: Rig, covered_by: str | None, reader: str) -> None:
    id_ = submit(told)
    if covered_by:
        away(told, DOCTOR, covered_by)
    with told.engine.begin() as connection:
        case = Told(connection, id=id_)
        case.take(Step.TAKE, Party.RECEIVING_COORDINATOR, user=MAIN, key="take")
        why = Details(note="请补充造影报告")
        case.take(Step.RETURN_FOR_INFO, Party.RECEIVING_COORDINATOR, why, user=MAIN, key="return")
    assert templates(told, reader) == ["referral-returned"]
    (text,) = [text for to, text in sent(told) if to == PHONES[reader]]
    assert "补充资料" in text
    assert "造影" not in text


def test_a_doctor_away_without_cover_is_no_end_whoever_has_the_duty_is_told(told: Rig) -> None:
    id_ = submit(told)
    away(told, DOCTOR, None)
    told.duty(Duty("HP", "referral_doctor"), COLLEAGUE)
    with told.engine.begin() as connection:
        case = Told(connection, id=id_)
        case.take(Step.TAKE, Party.RECEIVING_COORDINATOR, user=MAIN, key="take")
        case.take(Step.REJECT, Party.RECEIVING_COORDINATOR, Details(note="无床"), user=MAIN, key="reject")
    assert templates(told, COLLEAGUE) == ["referral-rejected"]


def test_a_patient_whom_the_records_do_not_know_is_told_by_the_sender(told: Rig) -> None:
    id_ = submit(told)
    with told.engine.begin() as connection:
        case = Told(connection, id=id_)
        case.take(Step.TAKE, Party.RECEIVING_COORDINATOR, user=MAIN, key="take")
        accepted = Details(department="0101")
        case.take(Step.ACCEPT, Party.RECEIVING_COORDINATOR, accepted, user=MAIN, key="accept")
    assert sorted(filter(None, templates(told, DOCTOR))) == ["referral-accepted", "referral-tell-patient"]


def test_a_follow_up_is_told_once_to_the_doctor_who_looks_after_the_patient(told: Rig) -> None:
    id_ = submit(told)
    with told.engine.begin() as connection:
        case = Told(connection, id=id_, keys=10)
        case.take(Step.TAKE, Party.RECEIVING_COORDINATOR, user=MAIN)
        case.take(Step.ACCEPT, Party.RECEIVING_COORDINATOR, Details(department="0101"), user=MAIN)
        for step in (Step.ARRIVE, Step.BEGIN_CARE):
            case.take(step, Party.RECEIVING_DOCTOR, user="doctor.main")
        soon = Details(note="已行 PCI", follow_up_at=datetime.now(UTC) + timedelta(days=90))
        case.take(Step.RETURN_OUTCOME, Party.RECEIVING_DOCTOR, soon, user="doctor.main")
        closed = case.take(Step.CLOSE, Party.SENDING_DOCTOR, user=DOCTOR)
    assert closed.follow_up_at == soon.follow_up_at
    for _ in range(2):
        with told.engine.begin() as connection:
            after = recording.follow_up(connection, id_, closed.number, Telling(LINKS))
        assert after.follow_up_at is None
    assert templates(told, DOCTOR).count("referral-follow-up") == 1
    assert any("随访" in text for to, text in sent(told) if to == PHONES[DOCTOR])


def test_a_reminder_that_is_tried_again_reminds_nobody_twice(told: Rig) -> None:
    id_ = submit(told)
    with told.engine.begin() as connection:
        recording.remind(connection, id_, 1, Telling(LINKS))
    away(told, MAIN, DEPUTY)  # a repetition would find somebody else to tell
    with told.engine.begin() as connection:
        recording.remind(connection, id_, 1, Telling(LINKS))
    assert templates(told, MAIN) == ["referral-reminder", "referral-received"]
    assert templates(told, DEPUTY) == []
