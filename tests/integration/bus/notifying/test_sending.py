"""From a request to the doubles: once, in the right words, at the right time; and what happens when not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from bus.notifying import control, figures
from bus.notifying.sms import SmsPort
from consortium.notifications import contacts, queue
from consortium.notifications.contacts import Duty, Preferences
from consortium.notifications.model import Channel, Party
from consortium.notifications.rendering import ZONE
from simulators.notifications.kept import Manner
from tests.integration.bus.notifying.rig import (
    COORDINATOR,
    MAILBOX,
    NOW,
    OPENID,
    PHONE,
    Rig,
    received,
    rig,
)

COORDINATING = Duty("HP", "referral_coordinator")


@pytest.fixture
def told(database_url: str) -> Iterator[Rig]:
    """Doubles that honour keys."""
    with rig(database_url) as made:
        yield made


@pytest.fixture
def keyless(database_url: str) -> Iterator[Rig]:
    """Doubles that honour none."""
    with rig(database_url, honours=False) as made:
        yield made


def test_a_request_is_one_row_that_commits_with_its_caller(told: Rig) -> None:
    with told.engine.connect() as connection:
        assert queue.ask(connection, received())
        connection.rollback()
    assert told.rows("SELECT 1 FROM workflow.notification") == []
    assert told.ask(received(), received(), received("other")) == [True, False, True]
    assert told.spread() == 2
    assert told.spread() == 0
    assert [row[:3] for row in told.rows()] == [("sms", f"staff:{COORDINATOR}", "queued")] * 2


def test_a_coordinator_is_told_by_every_channel_in_the_right_words(told: Rig) -> None:
    told.contact(COORDINATOR, email=MAILBOX, wechat=OPENID)
    told.ask(received())
    told.spread()
    for channel in told.ports:
        assert told.line(channel).once() == 1
        assert told.line(channel).once() == 0
    [sms] = told.kept[Channel.SMS].sent
    assert (sms["to"], sms["text"]) == (
        PHONE,
        "【医联】院本部发来紧急转诊申请 R-7，请于 11月26日 09:00 前登录平台评估。",
    )
    [letter] = told.kept[Channel.EMAIL].sent
    assert (letter["to"], letter["subject"]) == (MAILBOX, "【医联】转诊申请 R-7 待评估")
    [message] = told.kept[Channel.WECHAT].sent
    assert (message["to"], message["template"]) == (OPENID, "T1")
    assert message["data"]["keyword1"] == {"value": "R-7"}
    assert {state for state, _ in told.states()} == {"delivered"}


def test_no_row_holds_an_address_or_a_name(told: Rig) -> None:
    person = told.person(PHONE)
    told.ask(received(), received("patient", person_id=person))
    told.spread()
    told.line(Channel.SMS).once()
    everything = told.rows(
        "SELECT row_to_json(d)::text, convert_from(answer, 'UTF8') FROM workflow.dispatch d"
    )
    everything += told.rows("SELECT n::text FROM workflow.notification n")
    assert len(told.kept[Channel.SMS].sent) == 2
    assert all(PHONE not in str(row) and "王小明" not in str(row) for row in everything)
    assert '"to": ["***"]' in str(everything), "the answer is kept, without the number"


def test_whoever_has_the_duty_is_told_and_a_narrowed_one_first(told: Rig) -> None:
    told.contact("second.huangpu", "13900139000")
    told.duty(COORDINATING, COORDINATOR, "second.huangpu")
    told.duty(Duty("HP", "department", "0301"), "second.huangpu")
    told.duty(Duty("HP", "department"), COORDINATOR)
    told.ask(
        received(duty="referral_coordinator"),
        received(duty="department", recipient="0301"),
        received(duty="department", recipient="0999"),
    )
    told.spread()
    assert [row[1] for row in told.rows()] == [
        f"staff:{COORDINATOR}",
        "staff:second.huangpu",
        "staff:second.huangpu",
        f"staff:{COORDINATOR}",
    ]


def test_a_duty_that_nobody_has_and_a_patient_without_a_number_wait_for_a_person(told: Rig) -> None:
    person = told.person(None)
    told.ask(received(duty="nobody"), received(person_id=person))
    told.spread()
    assert told.rows() == [
        ("sms", "duty:HP/nobody", "parked", "nobody_on_duty", 0),
        ("sms", f"person:{person}", "parked", "no_address", 0),
    ]
    assert told.line(Channel.SMS).once() == 0


def test_who_gets_the_duty_later_is_told_when_it_is_resent(told: Rig) -> None:
    told.ask(received(duty="referral_coordinator"))
    told.spread()
    line = told.line(Channel.SMS)
    for code in ("nobody_on_duty", "handed_over"):
        with told.engine.begin() as connection:
            [found] = control.dispatches(connection)
            control.resend(connection, found.id, "ops", "已排班")
        line.once()
        assert told.states()[0][1] == code
        told.duty(COORDINATING, COORDINATOR)
    line.once()
    assert told.rows()[1][:3] == ("sms", f"staff:{COORDINATOR}", "delivered")


def test_staff_without_an_address_read_it_in_the_application(told: Rig) -> None:
    told.ask(received(recipient="second.huangpu"))
    told.spread()
    assert told.rows() == []


@pytest.mark.parametrize(
    ("more", "state", "code"),
    [({"deceased": True}, "discarded", "deceased"), ({"active": False}, "parked", "unknown_person")],
)
def test_who_is_not_there_any_more_is_not_told(
    told: Rig, more: dict[str, bool], state: str, code: str
) -> None:
    person = told.person(PHONE)
    told.ask(received(person_id=person))
    told.spread()
    [(column, value)] = more.items()
    with told.engine.begin() as connection:
        connection.execute(sa.text(f"UPDATE identity.person SET {column} = {value}"))  # noqa: S608 - constants
    told.line(Channel.SMS).once()
    assert told.states() == [(state, code)]
    assert told.kept[Channel.SMS].asked == 0
    told.ask(received("again", person_id=person), received("typo", recipient="nobody.huangpu"))
    told.spread()
    parked = [("parked", code)] if state == "parked" else []
    assert told.states()[1:] == [*parked, ("parked", "closed_account")]


def test_a_patient_who_wants_a_channel_that_does_not_reach_them_waits_for_a_person(told: Rig) -> None:
    wishes, silent = told.person(PHONE), told.person(PHONE)
    with told.engine.begin() as connection:
        contacts.prefer(connection, Party.person(wishes), Preferences(channels=["wechat"]), "p")
        contacts.prefer(connection, Party.person(silent), Preferences(channels=[]), "p")
    told.ask(received(person_id=wishes), received(person_id=silent))
    told.spread()
    assert told.rows() == [("wechat", f"person:{wishes}", "parked", "no_address", 0)]


def test_a_closed_account_and_a_declined_channel_are_not_told(told: Rig) -> None:
    told.contact("second.huangpu", "13900139000")
    told.ask(received(), received(recipient="second.huangpu"))
    told.spread()
    with told.engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE access.account SET disabled = true WHERE username = 'second.huangpu'")
        )
        contacts.prefer(connection, Party.staff(COORDINATOR), Preferences(channels=["email"]), COORDINATOR)
    told.line(Channel.SMS).once()
    assert told.states() == [("discarded", "declined"), ("parked", "closed_account")]


def test_a_refusal_waits_for_a_person_who_resends_or_discards(told: Rig) -> None:
    sms = told.kept[Channel.SMS]
    sms.manner = Manner.REFUSES
    told.ask(received(), received("other"))
    told.spread()
    line = told.line(Channel.SMS)
    assert line.once() == 2
    assert told.states() == [("parked", "422")] * 2
    sms.manner = Manner.TAKES
    with told.engine.begin() as connection:
        first, second = sorted(one.id for one in control.dispatches(connection))
        control.resend(connection, first, "ops", "号码已更正")
        control.discard(connection, second, "ops", "已电话通知")
        with pytest.raises(control.NotStuckError):
            control.discard(connection, second, "ops", "again")
        with pytest.raises(control.NoDispatchError):
            control.resend(connection, second + 1, "ops", "none")
    assert line.once() == 1
    assert [state for state, _ in told.states()] == ["delivered", "discarded"]
    assert len(sms.sent) == 1


def test_a_busy_port_is_tried_again_with_growing_pauses_and_the_same_key(told: Rig) -> None:
    sms = told.kept[Channel.SMS]
    sms.manner = Manner.LATER
    told.ask(received())
    told.spread()
    line = told.line(Channel.SMS)
    assert line.once() == 1
    assert line.once() == 0, "it waits"
    sms.manner = Manner.TAKES
    told.later(1)
    assert line.once() == 1
    assert told.rows()[0][2:] == ("delivered", "200", 2)
    assert len(sms.sent) == 1


def test_a_port_that_is_away_costs_nothing_and_opens_the_breaker(told: Rig) -> None:
    told.ports[Channel.SMS] = SmsPort("http://127.0.0.1:1/", "")
    told.ask(*(received(f"step-{n}") for n in range(8)))
    told.spread()
    line = told.line(Channel.SMS)
    assert line.once() == 4
    assert line.once() == 4
    assert line.once() == 0, "the breaker is open"
    assert set(told.states()) == {("queued", "unreachable"), ("queued", None)}


@pytest.mark.parametrize("manner", [Manner.SILENT, Manner.DEAF])
def test_without_an_answer_the_same_key_goes_again_where_it_is_honoured(told: Rig, manner: Manner) -> None:
    sms = told.kept[Channel.SMS]
    sms.manner = manner
    told.ask(received())
    told.spread()
    line = told.line(Channel.SMS)
    assert line.once() == 1
    assert told.states() == [("queued", "unanswered")]
    sms.manner = Manner.TAKES
    told.later(1)
    assert line.once() == 1
    assert told.states() == [("delivered", "200")]
    assert len(sms.sent) == 1, "taken once"
    assert sms.asked == 2


def test_a_key_that_is_too_old_is_not_trusted(told: Rig) -> None:
    sms = told.kept[Channel.SMS]
    sms.manner = Manner.SILENT
    told.ask(received(expires_at=NOW + timedelta(days=90)))
    told.spread()
    line = told.line(Channel.SMS)
    line.once()
    sms.manner = Manner.TAKES
    told.later(24 * 60)
    line.once()
    assert told.states() == [("ambiguous", "keys_forgotten")]
    assert sms.asked == 1


@pytest.mark.parametrize("manner", [Manner.SILENT, Manner.DEAF])
@pytest.mark.parametrize("channel", [Channel.SMS, Channel.EMAIL])
def test_without_an_answer_and_keys_it_is_held_as_ambiguous_and_counted(
    keyless: Rig, manner: Manner, channel: Channel
) -> None:
    keyless.contact(COORDINATOR, **({"phone": None, "email": MAILBOX} if channel is Channel.EMAIL else {}))
    keyless.kept[channel].manner = manner
    keyless.ask(received())
    keyless.spread()
    line = keyless.line(channel)
    assert line.once() == 1
    keyless.later(600)
    assert line.once() == 0
    assert keyless.states() == [("ambiguous", "unanswered")]
    with keyless.engine.connect() as connection:
        found = figures.read(connection)
    assert found.counts == [(channel.value, "ambiguous", 1)]
    assert [(one.channel, one.stuck, one.ambiguous) for one in found.stuck] == [(channel.value, 1, 1)]
    assert keyless.kept[channel].asked == 1


@pytest.mark.parametrize(("manner", "attempts"), [(Manner.SILENT, 1), (Manner.DEAF, 2)])
def test_a_port_that_can_say_is_asked_before_anybody_decides(
    database_url: str, manner: Manner, attempts: int
) -> None:
    with rig(database_url, honours=False, asks=True) as asked:
        sms = asked.kept[Channel.SMS]
        sms.manner = manner
        asked.ask(received())
        asked.spread()
        line = asked.line(Channel.SMS)
        line.once()
        sms.manner = Manner.TAKES
        line.once()
        line.once()
        assert [(row[2], row[4]) for row in asked.rows()] == [("delivered", attempts)]
        assert len(sms.sent) == 1


def test_what_is_not_urgent_waits_for_the_end_of_quiet_hours(told: Rig) -> None:
    local = datetime.now(ZONE).replace(microsecond=0)
    begins, ends = local - timedelta(hours=1), local + timedelta(hours=1)
    told.ask(received(), received("now", template="critical-value-sms", values={}))
    prefer(told, Preferences(quiet=(begins.time(), ends.time())))
    with_urgent_sms(told.rules)
    told.spread()
    line = told.line(Channel.SMS)
    line.once()
    assert told.states() == [("queued", "quiet_hours"), ("delivered", "200")], "what is urgent does not wait"
    [(until,)] = told.rows("SELECT not_before FROM workflow.dispatch WHERE state = 'queued'")
    assert until == ends
    prefer(told, Preferences(quiet=(ends.time(), (ends + timedelta(hours=1)).time())))
    told.later(121)
    line.once()
    assert told.states()[0] == ("delivered", "200")


def prefer(told: Rig, chosen: Preferences) -> None:
    with told.engine.begin() as connection:
        contacts.prefer(connection, Party.staff(COORDINATOR), chosen, COORDINATOR)


def with_urgent_sms(rules: Path) -> None:
    """Add a template of something urgent that goes by SMS."""
    text = (rules / "notifications" / "critical-value.yaml").read_text("utf-8")
    sms = "sms:\n  zh: {text: 有危急值}\n  en: {text: critical}\n"
    made = text.replace("name: critical-value", "name: critical-value-sms") + sms
    (rules / "notifications" / "critical-value-sms.yaml").write_text(made, "utf-8")


def test_one_recipient_gets_so_many_an_hour_and_no_more(told: Rig) -> None:
    told.ask(*(received(f"step-{n}") for n in range(12)))
    told.spread()
    line = told.line(Channel.SMS)
    while line.once():
        continue
    assert len(told.kept[Channel.SMS].sent) == 10
    assert told.states().count(("queued", "hourly_limit")) == 2
    told.later(61)
    while line.once():
        continue
    assert len(told.kept[Channel.SMS].sent) == 12


def test_what_is_too_late_is_not_sent(told: Rig) -> None:
    told.ask(received(expires_at=NOW - timedelta(minutes=1)))
    told.spread()
    told.spread()
    told.line(Channel.SMS).once()
    assert told.states() == [("discarded", "expired")]
    assert told.kept[Channel.SMS].asked == 0


def test_a_name_where_a_code_belongs_is_parked_and_quoted_nowhere(told: Rig) -> None:
    values = {"sender": "王小明", "reference": "R-7", "urgency": "urgent", "due": "2026-11-26T09:00:00+08:00"}
    told.ask(received(values=values))
    told.spread()
    told.line(Channel.SMS).once()
    [(state, code, reason)] = told.rows("SELECT state, code, reason FROM workflow.dispatch")
    assert (state, code) == ("parked", "bad_value")
    assert "王小明" not in reason
    assert told.kept[Channel.SMS].asked == 0


def test_a_request_waits_for_its_template(told: Rig) -> None:
    told.ask(received(template="to-come"), received("plain", template=None))
    assert told.spread() == 1
    folder = told.rules / "notifications"
    text = (folder / "referral-received.yaml").read_text("utf-8")
    (folder / "to-come.yaml").write_text(text.replace("referral-received", "to-come"), "utf-8")
    assert told.spread() == 1
    assert [row[2] for row in told.rows()] == ["queued"]
