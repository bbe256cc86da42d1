"""Batches towards a receiver: each message has the outcome of its own answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from adapters.mllp.batch import is_batch, split
from adapters.mllp.batched import BatchedTransport
from adapters.mllp.framing import framed
from adapters.mllp.links import control_id
from bus.delivery.transport import Answer, NotSentError, Outgoing, SentForm, UnansweredError, Verdict
from bus.rules.destinations import MllpDestination
from tests.contract.outbound.harness import outgoing
from tests.integration.bus.clinic import rows
from tests.integration.bus.delivery.queue import delivering, enqueue, messages, mllp, states, until
from tests.integration.bus.delivery.receivers import MllpReceiver, ack

Answering = Callable[[str, list[str]], list[bytes]]
"""From a batch's control id and those of its messages to frames without their frame bytes."""


def batch_of(*answers: bytes) -> bytes:
    return b"FHS|^~\\&|WARD\rBHS|^~\\&|WARD\r" + b"".join(answers) + b"BTS|1\rFTS|1\r"


def taken(_batch: str, controls: list[str]) -> list[bytes]:
    return [batch_of(*(ack("AA", control) for control in controls))]


@dataclass
class BatchReceiver(MllpReceiver):
    """Takes batches."""

    answering: Answering = taken
    batches: list[list[str]] = field(default_factory=list)
    frames: list[bytes] = field(default_factory=list)

    def _answer(self, frame: bytes, writer: asyncio.StreamWriter) -> None:
        assert is_batch(frame)
        self.frames.append(frame)
        [batch] = split(frame).batches
        controls = [control_id(message).decode() for message in batch.messages]
        self.batches.append(controls)
        self.bodies += batch.messages
        for answer in self.answering(batch.header.split(b"|")[10].decode(), controls):
            writer.write(framed(answer))


def told(port: int, count: int = 3, **more: Any) -> MllpDestination:
    batch = {"messages": count, "wait_seconds": 0.05}
    return mllp(port, connections=8, batch=batch, **{"timeout_seconds": 0.5, **more})


@asynccontextmanager
async def receiving(
    answering: Answering = taken, count: int = 3
) -> AsyncIterator[tuple[BatchReceiver, BatchedTransport]]:
    async with BatchReceiver(answering=answering) as receiver:
        transport = BatchedTransport(told(receiver.port, count))
        try:
            yield receiver, transport
        finally:
            await transport.close()


async def on_wire(_form: SentForm) -> None:
    """Nothing refuses it."""


async def sent(transport: BatchedTransport, *going: Outgoing) -> list[Answer | BaseException]:
    tasks = [transport.send(one, on_wire) for one in going]
    async with asyncio.timeout(10):
        return await asyncio.gather(*tasks, return_exceptions=True)


def said(answer: Answer | BaseException) -> tuple[Verdict, str]:
    assert isinstance(answer, Answer), answer
    return answer.verdict, answer.code


async def test_what_is_on_its_way_together_goes_in_one_frame() -> None:
    async with receiving() as (receiver, transport):
        answers = await sent(transport, *(outgoing(number) for number in (1, 2, 3, 4)))
    assert [said(answer) for answer in answers] == [(Verdict.TAKEN, "AA")] * 4
    assert receiver.batches == [["C1", "C2", "C3"], ["C4"]]
    assert receiver.bodies == [outgoing(number).body for number in (1, 2, 3, 4)]
    assert receiver.connections == 1, "the second batch waited for nobody and used the connection again"
    assert receiver.frames[0].startswith(b"FHS|^~\\&|YILIAN|")
    assert receiver.frames[0].split(b"\r")[1].startswith(b"BHS|^~\\&|YILIAN|")
    assert b"\rBTS|3\rFTS|1\r" in receiver.frames[0]


async def test_each_message_has_its_own_answer() -> None:
    def mixed(_batch: str, controls: list[str]) -> list[bytes]:
        codes = dict(zip(controls, ("AA", "AR", "AE"), strict=True))
        return [batch_of(*(ack(codes[control], control) for control in reversed(controls)))]

    async with receiving(mixed) as (_, transport):
        answers = await sent(transport, *(outgoing(number) for number in (1, 2, 3)))
    assert [said(one) for one in answers] == [
        (Verdict.TAKEN, "AA"),
        (Verdict.NEVER, "AR"),
        (Verdict.LATER, "AE"),
    ]
    assert [one.raw for one in answers if isinstance(one, Answer)] == [
        ack("AA", "C1"),
        ack("AR", "C2"),
        ack("AE", "C3"),
    ]


async def test_answers_in_frames_of_their_own_and_one_for_the_whole_batch() -> None:
    def single(batch: str, controls: list[str]) -> list[bytes]:
        return [ack("AR", controls[0]), ack("AA", "somebody's"), ack("AA", batch)]

    async with receiving(single) as (_, transport):
        answers = await sent(transport, *(outgoing(number) for number in (1, 2, 3)))
    assert [said(one)[1] for one in answers] == ["AR", "AA", "AA"]


async def test_a_message_without_an_answer_is_ambiguous_and_a_late_one_is_nobody_s() -> None:
    late: list[bytes] = []

    def forgetful(_batch: str, controls: list[str]) -> list[bytes]:
        answers = [*late, *(ack("AA", control) for control in controls if control != "C2")]
        late[:] = [ack("AR", "C2")]
        return [batch_of(*answers)]

    async with receiving(forgetful) as (receiver, transport):
        first = await sent(transport, *(outgoing(number) for number in (1, 2, 3)))
        assert [type(one) for one in first] == [Answer, UnansweredError, Answer]
        again = await sent(transport, outgoing(4))
        assert said(again[0]) == (Verdict.TAKEN, "AA")
    assert receiver.connections == 2, "the connection that kept one waiting was dropped"


async def test_two_of_one_control_id_are_never_in_one_batch() -> None:
    async with receiving() as (receiver, transport):
        twin = outgoing(9, body=outgoing(1).body)
        answers = await sent(transport, outgoing(1), twin, outgoing(2))
    assert [said(one)[0] for one in answers] == [Verdict.TAKEN] * 3
    assert receiver.batches == [["C1", "C2"], ["C1"]]


async def test_what_the_queue_takes_back_is_left_out() -> None:
    async def refused(_form: SentForm) -> None:
        raise NotSentError("not any more")

    async with receiving() as (receiver, transport):
        tasks = [transport.send(outgoing(1), refused), transport.send(outgoing(2), on_wire)]
        answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(answers[0], NotSentError)
    assert receiver.batches == [["C2"]]


async def test_a_receiver_that_is_away_and_one_that_is_no_hl7() -> None:
    async with receiving(lambda *_: [b"FHS|^~\\&|X\rFTS|0\rBTS|1\r"]) as (receiver, transport):
        answers = await sent(transport, outgoing(1), outgoing(2))
        assert [type(one) for one in answers] == [UnansweredError] * 2
        await receiver.down()
        answers = await sent(transport, outgoing(3), outgoing(4))
    assert [type(one) for one in answers] == [NotSentError] * 2


async def test_the_queue_delivers_in_batches_each_patient_in_order(database_url: str) -> None:
    async with BatchReceiver() as receiver:
        arrivals, keys = messages(12, patients=4)
        enqueue(database_url, "ward", arrivals, keys)
        spec = told(receiver.port, 4)
        async with delivering(database_url, spec, BatchedTransport(spec)):
            await until(lambda: set(states(database_url)) == {"delivered"})
    sent_ids = [control for batch in receiver.batches for control in batch]
    for patient in range(1, 5):
        mine = [control for control in sent_ids if control.startswith(f"P{patient}-")]
        assert mine == [f"P{patient}-{number}" for number in (1, 2, 3)]
    assert len(receiver.batches) < 12
    assert rows(database_url, "SELECT DISTINCT code FROM bus.delivery") == [("AA",)]


@pytest.mark.parametrize(
    ("more", "said_"),
    [
        ({"batch": {"messages": 4}}, "connections"),
        ({"sequence": True, "connections": 2}, "one by one"),
        ({"sequence": True, "connections": 4, "batch": {"messages": 4}}, "one by one"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(more: dict[str, Any], said_: str) -> None:
    with pytest.raises(ValueError, match=said_):
        mllp(1, **more)
