"""An endpoint that keeps the sequence number protocol: no gap, nothing twice, and it survives a restart."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from adapters.mllp.client import Answer, Client
from adapters.mllp.framing import framed
from adapters.mllp.ordered import Ordered
from adapters.mllp.sequence import Ledger
from adapters.mllp.server import Listener
from bus.hl7.message import parse
from bus.inbox import Inbox
from tests.integration.adapters.mllp.conftest import SETTINGS, Rows
from tests.integration.adapters.mllp.test_batch import batch
from tests.integration.adapters.mllp.test_listener import message, raw_exchange


@asynccontextmanager
async def listening(database_url: str, ledger_url: str = "") -> AsyncIterator[Listener]:
    """Listen with sequence numbers; `ledger_url` where they are kept elsewhere."""
    ledger = Ledger(ledger_url or database_url)
    async with Inbox(database_url, "key", patience=0.0) as inbox:
        listener = Listener(replace(SETTINGS, endpoint="seq", sequence=True), inbox, ledger=ledger)
        await listener.start()
        yield listener
        await listener.stop()
    await ledger.close()


@pytest.fixture
async def listener(database_url: str) -> AsyncIterator[Listener]:
    """A listener that runs."""
    async with listening(database_url) as listener:
        yield listener


def numbered(number: object, control_id: str = "", **more: str) -> bytes:
    """A message with MSH-13."""
    version = f"|P|{more.get('version', '2.5')}|"
    return message(control_id or f"C{number}", **more).replace(
        version.encode(), f"{version}{number}".encode()
    )


def opening(number: int) -> bytes:
    """A message about the link, as §2.10.1 has it: no type, no content."""
    return f"MSH|^~\\&|LIS|MAIN|BUS|HUB|2026||^|O{number}|P|2.5|{number}\r".encode()


def said(answer: Answer) -> tuple[str, str | None, str | None]:
    """What a sender decides by."""
    return answer.code, answer.expected, answer.error_code


async def test_a_link_as_the_standard_has_it(client: Client, rows: Rows) -> None:
    assert said(await client.send(opening(0))) == ("AA", "-1", None)
    assert said(await client.send(numbered(41))) == ("AA", "41", None)
    assert said(await client.send(numbered(42))) == ("AA", "42", None)
    assert said(await client.send(opening(0))) == ("AA", "43", None)
    assert said(await client.send(opening(-1))) == ("AA", "-1", None)
    assert said(await client.send(numbered(1))) == ("AA", "1", None)
    assert rows("SELECT control_id FROM bus.inbox ORDER BY id") == [("C41",), ("C42",), ("C1",)]


async def test_a_gap_is_told_and_closed_by_what_is_missing(client: Client, rows: Rows) -> None:
    await client.send(numbered(1))
    assert said(await client.send(numbered(3))) == ("AE", "2", "sequence")
    assert rows("SELECT control_id, code FROM bus.refusal") == [("C3", "sequence")]
    assert [said(await client.send(numbered(n)))[0] for n in (2, 3)] == ["AA", "AA"]
    assert rows("SELECT control_id FROM bus.inbox ORDER BY id") == [("C1",), ("C2",), ("C3",)]


async def test_a_lost_answer_is_given_again_and_an_old_message_is_not_taken_twice(
    client: Client, rows: Rows
) -> None:
    for n in (1, 2, 2):
        assert said(await client.send(numbered(n))) == ("AA", str(n), None)
    assert said(await client.send(numbered(1))) == ("AE", "3", "sequence")
    assert said(await client.send(numbered(2, "OTHER"))) == ("AE", "3", "sequence")
    assert rows("SELECT count(*) FROM bus.inbox") == [(2,)]


async def test_the_number_survives_a_restart(database_url: str) -> None:
    async with listening(database_url) as listener, Client("127.0.0.1", listener.port) as client:
        assert said(await client.send(numbered(7)))[0] == "AA"
    async with listening(database_url) as listener, Client("127.0.0.1", listener.port) as client:
        assert said(await client.send(opening(0))) == ("AA", "8", None)
        assert said(await client.send(numbered(9))) == ("AE", "8", "sequence")


async def test_a_number_that_was_not_kept_is_not_answered_and_comes_again_as_a_duplicate(
    database_url: str, rows: Rows
) -> None:
    async with listening(database_url) as listener, Client("127.0.0.1", listener.port) as client:
        assert said(await client.send(numbered(1)))[0] == "AA"
        assert isinstance(listener.replies, Ordered)
        keep = listener.replies._ledger

        async def crash(key: str, last: object) -> None:
            await type(keep)("postgresql://nobody@127.0.0.1:1/none").forget(key)

        keep.save, kept = crash, keep.save  # type: ignore[method-assign] # the ledger breaks between the two
        assert said(await client.send(numbered(2)))[::2] == ("AE", "store_away")
        keep.save = kept  # type: ignore[method-assign] # and works again
        assert said(await client.send(numbered(2))) == ("AA", "2", None)
    assert rows("SELECT control_id, generation FROM bus.inbox ORDER BY id") == [("C1", 0), ("C2", 0)]


async def test_messages_that_do_not_wait_for_their_answers_are_taken_in_order(
    listener: Listener, rows: Rows
) -> None:
    stream = b"".join(framed(numbered(n)) for n in range(1, 60))
    answers = [parse(raw) for raw in await raw_exchange(listener, stream, answers=59)]
    assert [(a.get("MSA-1"), a.get("MSA-4")) for a in answers] == [("AA", str(n)) for n in range(1, 60)]
    assert rows("SELECT control_id FROM bus.inbox ORDER BY id") == [(f"C{n}",) for n in range(1, 60)]


async def test_each_sender_counts_for_itself(client: Client) -> None:
    assert said(await client.send(numbered(5)))[0] == "AA"
    assert said(await client.send(numbered(9, facility="HP")))[0] == "AA"
    assert said(await client.send(numbered(6)))[0] == "AA"


async def test_before_25_the_expected_number_is_in_msa_4_too(client: Client) -> None:
    await client.send(numbered(1, version="2.4"))
    answer = await client.send(numbered(3, version="2.4"))
    assert (answer.code, answer.expected) == ("AE", "2")
    assert "is expected, 2" in (answer.reason or "")


async def test_a_message_without_a_number_and_a_batch_are_refused(client: Client, rows: Rows) -> None:
    answer = await client.send(message())
    assert (answer.code, answer.error_code) == ("AR", "missing_field")
    [answer] = await client.send_batch(batch(message("C2")))
    assert (answer.code, answer.error_code) == ("AR", "batch")
    assert rows("SELECT count(*) FROM bus.inbox") == [(0,)]


async def test_elsewhere_msh_13_is_read_and_not_obeyed(database_url: str) -> None:
    async with Inbox(database_url, "key") as inbox:
        plain = Listener(SETTINGS, inbox)
        await plain.start()
        async with Client("127.0.0.1", plain.port) as client:
            answers = [await client.send(numbered(n, f"C{n}")) for n in (1, 5, 2)]
        await plain.stop()
    assert [said(answer) for answer in answers] == [("AA", None, None)] * 3
