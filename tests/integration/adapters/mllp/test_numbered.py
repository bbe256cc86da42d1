"""The sequence number protocol towards a receiver: our own listener, and one that fails as it is told."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from adapters.mllp.framing import framed
from adapters.mllp.links import control_id
from adapters.mllp.numbered import NumberedTransport
from adapters.mllp.numbers import StoredNumbers
from bus.delivery.transport import NotSentError, SentForm, UnsendableError, Verdict
from tests.contract.outbound.harness import outgoing
from tests.integration.adapters.mllp.test_sequence import listening
from tests.integration.bus.clinic import hl7, rows
from tests.integration.bus.delivery.queue import delivering, enqueue, messages, mllp, states, until
from tests.integration.bus.delivery.receivers import MllpReceiver


def transport_to(port: int, url: str, **more: Any) -> NumberedTransport:
    spec = mllp(port, sequence=True, timeout_seconds=0.5, **more)
    return NumberedTransport(spec, StoredNumbers(url, "ward"))


@dataclass
class NumberedReceiver(MllpReceiver):
    """Counts as §2.10.1 has it; of a message it may say nothing, before or after it has taken it."""

    last: int | None = None
    taken: list[tuple[int, str]] = field(default_factory=list)
    openings: int = 0
    mute: str = ""
    """`before`: it does not take the next message and says nothing; `after`: it takes it and says nothing."""
    refuse: str = ""
    """Code with which it refuses the next message."""

    def _answer(self, frame: bytes, writer: asyncio.StreamWriter) -> None:
        fields = frame.split(b"\r")[0].split(b"|")
        control, number = control_id(frame).decode(), int(fields[12])
        mute, self.mute = (self.mute, "") if number > 0 else ("", self.mute)
        if number == 0:
            self.openings += 1
            writer.write(framed(self._says("AA", control, -1 if self.last is None else self.last + 1)))
        elif mute == "before":
            return
        elif self.refuse:
            writer.write(framed(self._says(self.refuse, control, number)))
            self.refuse = ""
        elif self.last is not None and number != self.last + 1:
            writer.write(framed(self._says("AE", control, self.last + 1)))
        else:
            self.last = number
            self.taken.append((number, control))
            if mute != "after":
                writer.write(framed(self._says("AA", control, number)))

    def _says(self, code: str, control: str, number: int) -> bytes:
        head = f"MSH|^~\\&|WARD|HP|Y|G|20261120||ACK|A{control}|P|2.5"
        return f"{head}\rMSA|{code}|{control}||{number}\r".encode()


async def test_our_own_listener_takes_a_numbered_stream_once_and_in_order(database_url: str) -> None:
    async with listening(database_url) as listener:
        spec = mllp(listener.port, sequence=True)
        for start in (1, 5):  # a second process goes on where the first one stopped
            numbers = range(start, start + 4)
            arrivals = [hl7("ADT^A08", f"M{n % 2}", name="X^Y", control_id=f"N{n}") for n in numbers]
            enqueue(database_url, "ward", arrivals, [n % 2 for n in numbers])
            transport = NumberedTransport(spec, StoredNumbers(database_url, "ward"))
            async with delivering(database_url, spec, transport):
                await until(lambda: set(states(database_url)) == {"delivered"})
        assert listener.accepted == 8
    query = "SELECT sequence, code FROM bus.delivery ORDER BY sequence"
    assert rows(database_url, query) == [(number, "AA") for number in range(1, 9)]


@pytest.mark.parametrize(("mute", "attempts"), [("after", 2), ("before", 2)])
async def test_a_message_without_an_answer_is_settled_by_the_next_opening(
    database_url: str, mute: str, attempts: int
) -> None:
    async with NumberedReceiver(last=40, mute=mute) as ward:
        arrivals, keys = messages(2, patients=2)
        enqueue(database_url, "ward", arrivals, keys)
        spec = mllp(ward.port, sequence=True, timeout_seconds=0.3)
        assert spec.resend_ambiguous, "the number keeps it from being taken twice"
        transport = NumberedTransport(spec, StoredNumbers(database_url, "ward"))
        async with delivering(database_url, spec, transport):
            await until(lambda: states(database_url) == ["delivered"] * 2)
    assert sorted(control for _, control in ward.taken) == ["P1-1", "P2-1"]
    assert [number for number, _ in ward.taken] == [41, 42]
    found = rows(database_url, "SELECT attempts, code FROM bus.delivery ORDER BY id")
    assert found[0] == (attempts, "sequence" if mute == "after" else "AA")


async def test_another_message_may_go_between_and_nothing_is_doubled(database_url: str) -> None:
    async with NumberedReceiver(last=7, mute="after") as ward:
        arrivals, keys = messages(4, patients=4)
        enqueue(database_url, "ward", arrivals, keys)
        retry = {"first_seconds": 1.0, "longest_seconds": 1.0}
        spec = mllp(ward.port, sequence=True, timeout_seconds=0.3, retry=retry)
        transport = NumberedTransport(spec, StoredNumbers(database_url, "ward"))
        async with delivering(database_url, spec, transport):
            await until(lambda: states(database_url) == ["delivered"] * 4)
    assert sorted(control for _, control in ward.taken) == ["P1-1", "P2-1", "P3-1", "P4-1"]
    assert rows(database_url, "SELECT code FROM bus.delivery ORDER BY id")[0] == ("sequence",)


async def on_wire(_form: SentForm) -> None:
    """Nothing refuses it."""


async def test_a_refusal_of_the_number_is_not_one_of_the_message(database_url: str) -> None:
    async with NumberedReceiver(last=3) as ward:
        transport = transport_to(ward.port, database_url)
        assert (await transport.send(outgoing(1), on_wire)).verdict is Verdict.TAKEN
        ward.last = 9  # somebody restored it
        answer = await transport.send(outgoing(2), on_wire)
        assert (answer.verdict, answer.code) == (Verdict.LATER, "sequence")
        assert (await transport.send(outgoing(2), on_wire)).verdict is Verdict.TAKEN
        ward.refuse = "AR"
        answer = await transport.send(outgoing(3), on_wire)
        assert (answer.verdict, answer.code) == (Verdict.NEVER, "AR")
        assert (await transport.send(outgoing(4), on_wire)).verdict is Verdict.TAKEN
        await transport.close()
    assert ward.taken == [(4, "C1"), (10, "C2"), (11, "C4")]


async def test_a_receiver_that_counts_anew_cannot_tell_and_a_person_is_asked(database_url: str) -> None:
    async with NumberedReceiver(last=5, mute="after") as ward:
        arrivals, keys = messages(1)
        enqueue(database_url, "ward", arrivals, keys)
        spec = mllp(ward.port, sequence=True, timeout_seconds=0.3)
        transport = NumberedTransport(spec, StoredNumbers(database_url, "ward"))
        async with delivering(database_url, spec, transport):
            await until(lambda: rows(database_url, "SELECT 1 FROM bus.delivery WHERE code = 'unanswered'"))
            ward.last = None
            await until(lambda: states(database_url) == ["parked"])
    assert len(ward.taken) == 1, "it was not sent again"
    assert rows(database_url, "SELECT code, sequence FROM bus.delivery") == [("sequence_lost", None)]


async def test_a_receiver_without_the_protocol_and_a_message_that_is_no_hl7(database_url: str) -> None:
    async with MllpReceiver() as ward:
        transport = transport_to(ward.port, database_url)
        with pytest.raises(NotSentError, match="MSA-4") as failed:
            await transport.send(outgoing(1), on_wire)
        assert failed.value.code == "no_sequence"
        with pytest.raises(UnsendableError):
            await transport.send(outgoing(2, body=b"{}"), on_wire)
        await transport.close()
