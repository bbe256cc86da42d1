"""Who enters, waits, is refused; who looks after the door."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from consortium.access.model import Role, User
from consortium.teleconsult.rooms import decide
from consortium.teleconsult.rooms.errors import NotBookableError, RoomRefusedError
from consortium.teleconsult.rooms.model import WAITS, Booking, Invitation, Place, RoomRole
from tests.unit.consortium.teleconsult.booked import (
    BOOKING,
    CLOSES,
    NOW,
    OPENS,
    PATIENT,
    PLACES,
    SESSION,
    participant,
)

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("role", "standing"),
    [("host", "enter"), ("expert", "enter"), ("clinician", "enter"), ("patient", "wait"), ("family", "wait")],
)
def test_staff_enter_and_patients_wait_until_they_are_let_in(role: str, standing: str) -> None:
    one = participant(replace(PLACES[0], role=RoomRole(role)))
    assert decide.enter(SESSION, one, NOW) == standing
    assert decide.enter(SESSION, replace(one, admitted_at=NOW), NOW) == "enter"


@pytest.mark.parametrize(
    ("now", "code"),
    [(OPENS - MINUTE, "too-early"), (OPENS, ""), (CLOSES - MINUTE, ""), (CLOSES, "too-late")],
)
def test_nobody_is_in_outside_the_window(now: datetime, code: str) -> None:
    def asked() -> str:
        try:
            decide.enter(SESSION, participant(PLACES[0]), now)
        except RoomRefusedError as error:
            return error.code
        return ""

    assert asked() == code


def test_a_window_of_ones_own_narrows_the_sessions_and_never_widens_it() -> None:
    own = replace(PLACES[1], opens_at=NOW + MINUTE, closes_at=CLOSES + 99 * MINUTE)
    assert decide.window(SESSION, participant(own)) == (NOW + MINUTE, CLOSES)


@pytest.mark.parametrize("code", ["ended", "removed"])
def test_what_has_ended_and_who_was_sent_out_stay_so(code: str) -> None:
    session = replace(SESSION, ended_at=NOW) if code == "ended" else SESSION
    one = participant(PLACES[2], admitted_at=NOW, removed_at=NOW if code == "removed" else None)
    with pytest.raises(RoomRefusedError) as refused:
        decide.enter(session, one, NOW)
    assert refused.value.code == code


INVITATION = Invitation(UUID(int=7), PATIENT, CLOSES)


def test_a_link_opens_in_the_first_browser_alone() -> None:
    mark = decide.invited(INVITATION, "this browser's secret", NOW)
    assert mark == hashlib.sha256(b"this browser's secret").digest()
    bound = replace(INVITATION, device=mark)
    assert decide.invited(bound, "this browser's secret", NOW) == mark
    with pytest.raises(RoomRefusedError) as refused:
        decide.invited(bound, "another browser's secret", NOW)
    assert refused.value.code == "invitation-in-use"


@pytest.mark.parametrize(
    ("invitation", "now", "code"),
    [
        (None, NOW, "invitation-revoked"),
        (replace(INVITATION, revoked_at=NOW), NOW, "invitation-revoked"),
        (INVITATION, CLOSES, "invitation-expired"),
    ],
)
def test_a_link_that_was_taken_back_or_is_too_old_opens_nothing(
    invitation: Invitation | None, now: datetime, code: str
) -> None:
    with pytest.raises(RoomRefusedError) as refused:
        decide.invited(invitation, "a browser's own secret", now)
    assert refused.value.code == code


def user(name: str, role: Role, organisation: str) -> User:
    return User(name, name, role, organisation)


@pytest.mark.parametrize(
    ("who", "keeps"),
    [
        (user("doctor.huangpu", Role.DOCTOR, "HP"), True),
        (user("doctor.main", Role.DOCTOR, "MAIN"), True),
        (user("another.doctor", Role.DOCTOR, "HP"), False),
        (user("coordinator.huangpu", Role.COORDINATOR, "HP"), True),
        (user("coordinator.main", Role.COORDINATOR, "MAIN"), False),
    ],
)
def test_host_experts_and_the_holding_campuss_coordinators_look_after_the_door(
    who: User, keeps: bool
) -> None:
    assert decide.keeps_door(SESSION, [participant(place) for place in PLACES], who) is keeps


def test_who_was_sent_out_looks_after_nothing() -> None:
    host = participant(PLACES[0], removed_at=NOW)
    assert not decide.keeps_door(SESSION, [host], user("doctor.huangpu", Role.DOCTOR, "HP"))


def test_whoever_stops_asking_has_left_the_waiting_room() -> None:
    one = participant(PLACES[2], waiting_since=NOW, waiting_seen=NOW)
    assert decide.is_waiting(one, NOW + WAITS)
    assert not decide.is_waiting(one, NOW + WAITS + MINUTE)
    assert not decide.is_waiting(replace(one, admitted_at=NOW), NOW)
    assert not decide.is_waiting(participant(PLACES[2]), NOW)


@pytest.mark.parametrize(
    ("booking", "reason"),
    [
        (replace(BOOKING, opens_at=BOOKING.opens_at.replace(tzinfo=None)), "zone"),
        (replace(BOOKING, closes_at=OPENS), "closes after it opens"),
        (replace(BOOKING, closes_at=OPENS + timedelta(hours=25)), "within 24 hours"),
        (replace(BOOKING, places=()), "1 to 20"),
        (replace(BOOKING, places=PLACES[2:]), "lets the patient in"),
        (replace(BOOKING, places=(replace(PLACES[0], username=None),)), "account"),
        (replace(BOOKING, places=(*PLACES, replace(PLACES[1], id=UUID(int=1)))), "account twice"),
        (replace(BOOKING, places=(*PLACES, replace(PLACES[2], username="x"))), "participant twice"),
    ],
)
def test_a_booking_that_contradicts_itself_is_refused(booking: Booking, reason: str) -> None:
    decide.check(BOOKING)
    with pytest.raises(NotBookableError, match=reason):
        decide.check(booking)


def test_places_are_for_people_of_every_role() -> None:
    decide.check(replace(BOOKING, places=(*PLACES, Place(UUID(int=9), RoomRole.FAMILY, "家属"))))
