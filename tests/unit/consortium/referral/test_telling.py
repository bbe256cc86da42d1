"""Every notice that a step can lead to has words, in both languages, whatever the referral lacks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from consortium.notifications import reading
from consortium.notifications.model import Channel
from consortium.notifications.rendering import Rendering
from consortium.notifications.templates import Template
from consortium.referral import telling
from consortium.referral.decide import Move, decide
from consortium.referral.model import BEGINNING, Need, Party, Standing, Step
from consortium.referral.notices import REMIND, audience, notices
from consortium.referral.table import TABLE
from runtime.settings import CHECKOUT

BOOK = reading.load(CHECKOUT / "rules")
NOW = datetime(2026, 11, 25, 1, tzinfo=UTC)
EVERYTHING = frozenset(Need)
LINK = {"link": "http://127.0.0.1:8080/r/abc", "news": "accept"}


class Names:
    """Knows every name."""

    def campus(self, code: str, language: str) -> str:
        return f"{code} {language}"

    def department(self, facility: str, code: str) -> str:
        return f"{facility} {code}"

    def person(self, id_: UUID) -> str:
        return str(id_)


def reached() -> dict[Standing, list[tuple[Step, Party, Standing]]]:
    """Every standing that steps lead to, with the steps that are taken there."""
    found: dict[Standing, list[tuple[Step, Party, Standing]]] = {}
    left = [BEGINNING]
    while left:
        standing = left.pop()
        if standing in found:
            continue
        moves = [
            (line.step, party, answer.after)
            for line in TABLE
            for party in Party
            if isinstance(answer := decide(standing, line.step, party, EVERYTHING), Move)
        ]
        found[standing] = moves
        left += [after for _, _, after in moves]
    return found


def row(standing: Standing, urgency: str, onward: str | None) -> dict[str, object]:
    """A referral as it stands: a department from acceptance on, a time while it is booked."""
    place = standing.place
    booked = place.state in ("booked", "rescheduled")
    return {
        "id": uuid4(),
        "sending_facility": "HP",
        "receiving_facility": "MAIN",
        "onward_facility": onward,
        "department": "0101",
        "urgency": urgency,
        "state": place.state.value,
        "owner": place.owner and place.owner.value,
        "owner_user": None,
        "deadline_at": NOW if place.deadline else None,
        "slot_start": NOW + timedelta(days=1) if booked else None,
        "created_by": "doctor.huangpu",
        "person_id": uuid4(),
    }


def template(what: str, party: Party, urgency: str) -> str:
    if party is not Party.PATIENT:
        return telling.EMERGENCY if urgency == "emergency" else telling.OF_STAFF.get(what, telling.PROGRESS)
    return telling.APPOINTMENT if what in telling.WITH_TIME else telling.NEWS


@pytest.mark.parametrize("urgency", ["routine", "emergency"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_whatever_happens_can_be_told_in_every_channel(urgency: str, language: str) -> None:
    rendering = Rendering(BOOK, language, Names())
    told = 0
    for standing, moves in reached().items():
        for step, actor, after in moves:
            onward = "HY" if step is Step.REFER_ONWARD else None
            parties = audience(step, actor, after)
            for notice in notices(row(after, urgency, onward), 1, step.value, parties):
                found = BOOK.templates[template(notice.what, notice.party, urgency)]
                told += _rendered(rendering, found, dict(notice.values) | LINK | {"news": notice.what})
        if standing.place.owner:
            parties = (
                standing.place.owner,
                *([Party.PATIENT] if standing.place.deadline == "attendance" else []),
            )
            for notice in notices(row(standing, urgency, None), 1, REMIND, parties):
                found = BOOK.templates[template(notice.what, notice.party, urgency)]
                told += _rendered(rendering, found, dict(notice.values) | LINK)
    assert told > 100


def test_what_is_told_of_an_emergency_goes_out_at_night() -> None:
    assert BOOK.templates[telling.EMERGENCY].urgent
    assert not BOOK.templates["referral-received"].urgent


def test_every_step_has_words_of_progress() -> None:
    for name in (telling.EMERGENCY, telling.PROGRESS, telling.UNTOLD):
        assert set(BOOK.templates[name].variables["step"].words) >= {step.value for step in Step}


def _rendered(rendering: Rendering, found: Template, values: dict[str, str]) -> int:
    for channel in (Channel.IN_APP, *found.outward):
        assert rendering.parts(found, channel, values)
    return 1
