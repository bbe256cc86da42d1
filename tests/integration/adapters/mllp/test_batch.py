"""Batches over MLLP: every message on its own, one answer, nothing twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from adapters.mllp.batch import split
from adapters.mllp.client import Client, read_answer
from adapters.mllp.framing import framed
from adapters.mllp.server import Listener
from adapters.mllp.settings import MllpSettings
from bus.inbox import Inbox
from tests.integration.adapters.mllp.conftest import SETTINGS, Rows
from tests.integration.adapters.mllp.test_listener import HAZARDOUS, message, raw_exchange

ListMessages = Callable[..., list[dict[str, Any]]]


def batch(*messages: bytes, count: object = None, control_id: str = "B1") -> bytes:
    """One batch; `count` in BTS-1 where it is not right."""
    said = len(messages) if count is None else count
    head = f"BHS|^~\\&|LIS|MAIN|BUS|HUB|2026||nightly||{control_id}\r".encode()
    return head + b"".join(messages) + f"BTS|{said}\r".encode()


def file(*batches: bytes, count: object = None) -> bytes:
    """Batches in a file."""
    said = len(batches) if count is None else count
    head = b"FHS|^~\\&|LIS|MAIN|BUS|HUB|2026||nightly||F1\r"
    return head + b"".join(batches) + f"FTS|{said}\r".encode()


def asking(accept: str, application: str, control_id: str, kind: str = "ORU^R01^ORU_R01") -> bytes:
    """A message with MSH-15 and MSH-16."""
    sent = message(control_id, kind=kind)
    return sent.replace(b"|P|2.5||||||", f"|P|2.5|||{accept}|{application}||".encode())


async def test_every_message_is_stored_byte_by_byte_and_answered_in_order(client: Client, rows: Rows) -> None:
    sent = [message(f"C{n}", name=HAZARDOUS) for n in range(50)]
    answers = await client.send_batch(batch(*sent))
    assert [(a.code, a.control_id) for a in answers] == [("AA", f"C{n}") for n in range(50)]
    assert [bytes(body) for (body,) in rows("SELECT body FROM bus.message ORDER BY id")] == sent


async def test_messages_of_two_character_sets_in_one_batch(client: Client, rows: Rows) -> None:
    sent = [message("C1"), message("C2", charset="UNICODE UTF-8")]
    assert [a.code for a in await client.send_batch(batch(*sent))] == ["AA", "AA"]
    assert rows("SELECT charset FROM bus.inbox ORDER BY id") == [("gb18030",), ("utf-8",)]


async def test_the_answer_is_a_batch_that_names_the_one_it_answers(listener: Listener) -> None:
    [raw] = await raw_exchange(
        listener, framed(file(batch(message("C1")), batch(message("C2"), control_id="B2")))
    )
    answered = split(raw)
    assert answered.header.startswith(b"FHS|^~\\&|BUS|HUB|LIS|MAIN|2")
    assert answered.header.endswith(b"|F1")
    assert [part.header.rpartition(b"|")[2] for part in answered.batches] == [b"B1", b"B2"]
    assert [part.trailer for part in answered.batches] == [b"BTS|1|1 of 1 accepted"] * 2
    assert answered.trailer == b"FTS|2"


async def test_what_is_refused_costs_its_neighbours_nothing_and_is_in_the_message_list(
    client: Client, rows: Rows, messages_list: ListMessages
) -> None:
    sent = batch(message("C1"), message("C2", kind="XXX^X01"), message("C3", facility="X"), message("C4"))
    answers = await client.send_batch(sent)
    assert [(a.control_id, a.code, a.error_code) for a in answers] == [
        ("C1", "AA", None), ("C2", "AR", "unknown_type"), ("C3", "AR", "unknown_campus"), ("C4", "AA", None)
    ]  # fmt: skip
    assert rows("SELECT control_id FROM bus.inbox ORDER BY id") == [("C1",), ("C4",)]
    listed = {each["control_id"]: each for each in messages_list("--state", "refused")}
    assert listed.keys() == {"C2", "C3"}
    assert listed["C2"]["reason"].startswith("message 2 of batch B1: MSH-9 ")
    assert rows("SELECT body FROM bus.refusal WHERE control_id = 'C2'") == [(message("C2", kind="XXX^X01"),)]


async def test_the_same_batch_again_is_answered_the_same_and_stored_once(client: Client, rows: Rows) -> None:
    sent = batch(*(message(f"C{n}") for n in range(20)), message("BAD", kind="XXX^X01"))
    first = [(a.control_id, a.code) for a in await client.send_batch(sent)]
    assert [(a.control_id, a.code) for a in await client.send_batch(sent)] == first
    assert rows("SELECT count(*), max(generation) FROM bus.inbox") == [(20, 0)]
    longer = batch(*(message(f"C{n}") for n in range(25)))
    assert {a.code for a in await client.send_batch(longer)} == {"AA"}
    assert rows("SELECT count(*) FROM bus.inbox") == [(25,)]


async def test_a_control_id_twice_in_one_batch(client: Client, rows: Rows) -> None:
    sent = batch(message("C1"), message("C1"), message("C1", name="李"))
    assert [a.code for a in await client.send_batch(sent)] == ["AA"] * 3
    assert rows("SELECT control_id, generation FROM bus.inbox ORDER BY id") == [("C1", 0), ("C1", 1)]
    assert rows("SELECT code FROM bus.held") == [("control_id_conflict",)]


async def test_a_wrong_count_is_told_under_the_batch_s_control_id_and_kept(
    client: Client, rows: Rows, messages_list: ListMessages
) -> None:
    answers = await client.send_batch(file(batch(message("C1"), message("C2"), count=3), count=2))
    assert [(a.control_id, a.code, a.error_code) for a in answers] == [
        ("C1", "AA", None), ("C2", "AA", None), ("B1", "AR", "batch_count"), ("F1", "AR", "batch_count")
    ]  # fmt: skip
    assert answers[2].reason == "BTS-1 says 3 messages, and there were 2: look for what is missing"
    assert answers[3].reason == "FTS-1 says 2 batches, and there were 1: look for what is missing"
    assert rows("SELECT control_id FROM bus.inbox ORDER BY id") == [("C1",), ("C2",)]
    listed = {each["control_id"]: each["code"] for each in messages_list("--state", "refused")}
    assert listed == {"B1": "batch_count", "F1": "batch_count"}


async def test_a_sender_may_ask_for_refusals_alone(listener: Listener, rows: Rows) -> None:
    sent = batch(asking("ER", "ER", "C1"), asking("ER", "ER", "C2", "XXX^X01"), asking("NE", "NE", "C3"))
    [raw] = await raw_exchange(listener, framed(sent))
    [part] = split(raw).batches
    assert [read_answer(each).control_id for each in part.messages] == ["C2"]
    assert part.trailer == b"BTS|1|2 of 3 accepted"
    assert rows("SELECT control_id FROM bus.inbox ORDER BY id") == [("C1",), ("C3",)]


async def test_an_empty_answer_says_that_all_is_well(client: Client) -> None:
    assert await client.send_batch(batch(asking("NE", "ER", "C1"), asking("ER", "NE", "C2"))) == []


async def test_an_empty_batch_is_answered(client: Client, rows: Rows) -> None:
    assert await client.send_batch(batch()) == []
    assert rows("SELECT count(*) FROM bus.refusal") == [(0,)]


async def test_a_broken_batch_is_refused_as_a_whole(client: Client, rows: Rows) -> None:
    [answer] = await client.send_batch(batch(message("C1")) + b"NTE|1\r")
    assert (answer.code, answer.error_code, answer.control_id) == ("AR", "batch", "B1")
    assert rows("SELECT count(*) FROM bus.inbox") == [(0,)]
    assert rows("SELECT code, control_id, facility FROM bus.refusal") == [("batch", "B1", "MAIN")]


async def test_a_batch_keeps_its_place_among_messages(listener: Listener, rows: Rows) -> None:
    stream = framed(message("C1")) + framed(batch(message("C2"), message("C3"))) + framed(message("C4"))
    answers = await raw_exchange(listener, stream, answers=3)
    assert [a[:3] for a in answers] == [b"MSH", b"BHS", b"MSH"]
    assert rows("SELECT control_id FROM bus.inbox ORDER BY id") == [("C1",), ("C2",), ("C3",), ("C4",)]


class TestEnhanced:
    """Where MSH-15 and MSH-16 are obeyed."""

    @pytest.fixture
    def settings(self) -> MllpSettings:
        return replace(SETTINGS, enhanced=True)

    async def test_each_message_has_one_answer_the_accept_acknowledgement_before_the_application_s(
        self, client: Client
    ) -> None:
        asked = [
            *(asking("AL", "AL", "C1"), asking("NE", "AL", "C2"), asking("ER", "", "C3", "XXX^X01")),
            *(asking("ER", "NE", "C4"), asking("NE", "ER", "C5", "XXX^X01")),
        ]
        answers = await client.send_batch(batch(*asked))
        found = [(a.control_id, a.code) for a in answers]
        assert found == [("C1", "CA"), ("C2", "AA"), ("C3", "CR"), ("C5", "AR")]


class TestSmall:
    """With a small limit."""

    @pytest.fixture
    def settings(self) -> MllpSettings:
        return replace(SETTINGS, batch_limit=3)

    async def test_a_batch_of_too_many_messages_is_refused_as_a_whole(
        self, client: Client, rows: Rows
    ) -> None:
        [answer] = await client.send_batch(batch(*(message(f"C{n}") for n in range(4))))
        assert (answer.code, answer.error_code) == ("AR", "too_large")
        assert "4 messages in one batch, and the limit is 3" in (answer.reason or "")
        assert rows("SELECT count(*) FROM bus.inbox") == [(0,)]


async def test_a_store_that_is_away_is_answered_ae_for_every_message() -> None:
    async with Inbox("postgresql://nobody@127.0.0.1:1/none", "key", patience=0) as inbox:
        listener = Listener(SETTINGS, inbox)
        await listener.start()
        async with Client("127.0.0.1", listener.port) as client:
            answers = await client.send_batch(batch(message("C1"), message("C2", facility="X")))
        assert [(a.code, a.error_code) for a in answers] == [("AE", "store_away")] * 2
        await listener.stop()


async def test_a_connection_that_ends_during_a_batch_loses_nothing_that_was_read(
    database_url: str, rows: Rows
) -> None:
    async with Inbox(database_url, "key") as inbox:
        listener = Listener(SETTINGS, inbox)
        await listener.start()
        _, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(framed(batch(*(message(f"C{n}") for n in range(500)))))
        writer.write_eof()
        await writer.drain()
        writer.close()
        async with asyncio.timeout(20):
            while not inbox.stored:  # noqa: ASYNC110 - the inbox sets no event
                await asyncio.sleep(0.01)
        await listener.stop()
    assert rows("SELECT count(*) FROM bus.inbox") == [(500,)]
