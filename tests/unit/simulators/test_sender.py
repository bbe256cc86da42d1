import asyncio
import random
from datetime import date

import pytest

from adapters.mllp.client import Answer
from consortium.errors import RetryableError
from simulators.delivery import SimulatorError
from simulators.main_campus import sender
from simulators.main_campus.day import day
from simulators.main_campus.message import APPLICATIONS

DAY = day(7, date(2026, 11, 20), 0.2)


class Wire:
    """A receiver that takes its time, differently for each message, and notes what came."""

    def __init__(self, seed, arrived):
        self.rng = random.Random(seed)
        self.arrived = arrived

    async def send(self, message):
        self.arrived.append(message)
        for _ in range(self.rng.randrange(20)):
            await asyncio.sleep(0)
        return Answer("AA", None, b"")


@pytest.fixture
def arrived():
    return []


def wires(arrived):
    return {application.code: Wire(application.code, arrived) for application in APPLICATIONS}


async def test_every_message_is_sent_once(arrived):
    deliveries = await sender.send_day(DAY, wires(arrived), lambda _: None)
    assert sorted(arrived) == sorted(message.body for message in DAY)
    assert [d.control_id for d in deliveries] == [m.control_id for m in DAY]
    assert all(d.answer.accepted for d in deliveries)


async def test_a_patients_messages_go_out_in_order_whatever_application_sends_them(arrived):
    await sender.send_day(DAY, wires(arrived), lambda _: None)
    place = {body: n for n, body in enumerate(arrived)}
    last: dict[str, int] = {}
    for message in DAY:
        for number in message.patients:
            assert last.get(number, -1) < place[message.body]
            last[number] = place[message.body]


async def test_applications_send_side_by_side(arrived):
    await sender.send_day(DAY, wires(arrived), lambda _: None)
    assert arrived != [message.body for message in DAY]


async def test_a_lost_answer_and_a_try_again_are_followed_by_the_same_message(arrived, monkeypatch):
    monkeypatch.setattr(sender, "FIRST_WAIT", 0.0)
    outcomes = [RetryableError("gone"), Answer("AE", None, b""), Answer("AA", None, b"")]

    class Shaky(Wire):
        async def send(self, message):
            self.arrived.append(message)
            outcome = outcomes.pop(0)
            if isinstance(outcome, RetryableError):
                raise outcome
            return outcome

    (delivery,) = await sender.send_day(DAY[:1], {DAY[0].application: Shaky(0, arrived)}, lambda _: None)
    assert delivery.answer.accepted
    assert arrived == [DAY[0].body] * 3


async def test_a_receiver_that_never_answers_is_named(arrived, monkeypatch):
    monkeypatch.setattr(sender, "FIRST_WAIT", 0.0)

    class Deaf(Wire):
        async def send(self, message):
            raise RetryableError("nobody there")

    with pytest.raises(SimulatorError, match=rf"{DAY[0].control_id}.*yilian status"):
        await sender.send_day(DAY[:1], {DAY[0].application: Deaf(0, arrived)}, lambda _: None)


async def test_a_refusal_is_an_answer_and_not_sent_again(arrived):
    class Strict(Wire):
        async def send(self, message):
            self.arrived.append(message)
            return Answer("AR", None, b"", "not here", "unknown_type")

    (delivery,) = await sender.send_day(DAY[:1], {DAY[0].application: Strict(0, arrived)}, lambda _: None)
    assert (delivery.answer.accepted, delivery.answer.code) == (False, "unknown_type")
    assert len(arrived) == 1
