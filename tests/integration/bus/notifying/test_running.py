"""Two workers side by side: each notification is sent once, and one's end is the other's turn."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from bus.notifying.current import StoredNames
from bus.notifying.running import Notifying, notifying
from bus.notifying.sms import SmsPort
from consortium.notifications.model import Channel
from consortium.notifications.rendering import RenderError, Rendering
from runtime.notified import notified, ports
from runtime.settings import Settings
from runtime.waiting import until
from tests.integration.bus.clinic import engine_of
from tests.integration.bus.notifying.rig import Rig, received, rig


def working(one: Rig) -> Notifying:
    campuses = Settings().roster
    port = SmsPort(one.sms, "")
    return Notifying(one.url, one.rules, lambda: campuses.now, {Channel.SMS: port})


def people(one: Rig, count: int) -> None:
    """So many patients are told, each once."""
    for n in range(count):
        one.ask(received(f"step-{n}", person_id=one.person(f"138{n:08d}")))


def delivered(one: Rig) -> int:
    return sum(state == "delivered" for state, _ in one.states())


def test_two_workers_send_each_once_and_one_takes_over(database_url: str) -> None:
    with rig(database_url, honours=False) as one, ExitStack() as first:
        first.enter_context(notifying(working(one)))
        with notifying(working(one)):
            people(one, 12)
            assert until(lambda: delivered(one) == 12, 30)
            first.close()
            one.ask(received("after"))
            assert until(lambda: delivered(one) == 13, 30)
        assert len(one.kept[Channel.SMS].sent) == 13
        assert len({sent["to"] for sent in one.kept[Channel.SMS].sent}) == 13


def test_the_settings_say_which_channels_there_are() -> None:
    assert ports(Settings()) == {}
    told = Settings.model_validate(
        {
            "sms_gateway": "https://sms.example/send",
            "smtp_url": "smtp://mail.example",
            "notification_mail": {"sender": "yilian@example.org"},
            "wechat": {"app_id": "wx1"},
        }
    )
    assert list(ports(told)) == [Channel.SMS, Channel.EMAIL, Channel.WECHAT]
    assert Channel.SMS not in ports(Settings(sms_gateway="file:///tmp/texts.jsonl"))


def test_links_to_our_own_address_are_sent_whichever_port_it_has(database_url: str) -> None:
    moved = Settings(database_url=database_url, api_port=8099)
    engine, book = engine_of(database_url), notified(moved).book()
    with engine.connect() as connection:
        rendering = Rendering(book.get(connection), "zh", StoredNames(connection, lambda: moved.campuses))
    template = rendering.book.templates["patient-appointment"]
    for ours in ("http://127.0.0.1:8099/r/1", "http://127.0.0.1:8080/r/1"):
        assert rendering.value(template, Channel.SMS, "link", {"link": ours}) == ours
    for other in ("http://127.0.0.1:80/r/1", "http://127.0.0.1:8099.other.example/"):
        with pytest.raises(RenderError):
            rendering.value(template, Channel.SMS, "link", {"link": other})
    engine.dispose()
