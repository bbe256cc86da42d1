"""The listener, as campuses meet it: good messages, bad bytes, slow and hasty senders."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from adapters.mllp.client import Client, read_answer
from adapters.mllp.framing import framed
from adapters.mllp.server import Listener
from adapters.mllp.settings import MllpSettings
from bus.hl7.build import build, components
from bus.hl7.message import parse
from bus.inbox import Inbox
from consortium.errors import RetryableError
from tests.integration.adapters.mllp.conftest import SETTINGS, Rows, until

HAZARDOUS = "".join(c for c in map(chr, range(0x4E00, 0x9FA6)) if set(b"|^~\\&") & set(c.encode("gb18030")))


def message(
    control_id: str = "C1",
    name: str = "王珅",
    *,
    facility: str = "MAIN",
    kind: str = "ORU^R01^ORU_R01",
    version: str = "2.5",
    charset: str = "GB 18030-2000",
    time: str = "20260101",
    codec: str = "",
) -> bytes:
    msh = ["MSH", "^~\\&", "LIS", facility, "BUS", "HUB", time, "", kind, control_id, "P", version]
    return build([[*msh, *[""] * 5, charset], ["PID", "1", "", "P1", "", components(name)]], codec or charset)


async def raw_exchange(listener: Listener, *packets: bytes, answers: int = 1) -> list[bytes]:
    """Write packets as they are, and read that many answers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    for packet in packets:
        writer.write(packet)
        await writer.drain()
    found = [(await reader.readuntil(b"\x1c\r"))[1:-2] for _ in range(answers)]
    writer.close()
    await writer.wait_closed()
    return found


async def test_a_stored_message_is_answered_aa_and_is_there_byte_by_byte(client: Client, rows: Rows) -> None:
    sent = message(name=HAZARDOUS)
    answer = await client.send(sent)
    assert (answer.code, answer.control_id) == ("AA", "C1")
    [(body, charset, patient)] = rows("SELECT body, charset, patient_number FROM bus.message")
    assert (bytes(body), charset, patient) == (sent, "gb18030", "P1")
    assert parse(body).get("PID-5") == HAZARDOUS


async def test_one_byte_per_packet(listener: Listener, rows: Rows) -> None:
    stream = framed(message())
    [answer] = await raw_exchange(listener, *(stream[i : i + 1] for i in range(len(stream))))
    assert read_answer(answer).code == "AA"
    assert rows("SELECT count(*) FROM bus.inbox") == [(1,)]


async def test_many_messages_in_one_packet_are_answered_in_order(listener: Listener, rows: Rows) -> None:
    stream = b"".join(framed(message(f"C{n}")) for n in range(300))
    answers = await raw_exchange(listener, stream, answers=300)
    assert [read_answer(a).control_id for a in answers] == [f"C{n}" for n in range(300)]
    stored = rows("SELECT control_id FROM bus.inbox ORDER BY id")
    assert [control_id for (control_id,) in stored] == [f"C{n}" for n in range(300)]


async def test_good_and_bad_messages_in_one_packet_are_answered_in_order(listener: Listener) -> None:
    stream = framed(message("C1")) + framed(message("C2", kind="XXX^X01")) + framed(message("C3"))
    answers = [read_answer(a) for a in await raw_exchange(listener, stream, answers=3)]
    assert [(a.control_id, a.code) for a in answers] == [("C1", "AA"), ("C2", "AR"), ("C3", "AA")]


BAD = {
    "missing_msh": (b"PID|1||P1\r", "", None),
    "unknown_charset": (message(charset="UTF-8").replace(b"UTF-8", b"KLINGON"), "MSH^1^18", "C1"),
    "unknown_campus": (message(facility="ELSEWHERE"), "MSH^1^4", "C1"),
    "unknown_type": (message(kind="QBP^Q22^QBP_Q21"), "MSH^1^9", "C1"),
    "missing_field": (message(control_id=""), "MSH^1^10", None),
    "delimiters": (message().replace(b"^~\\&", b"||||"), "MSH^1^2", None),
}


@pytest.mark.parametrize("code", BAD)
async def test_what_is_refused_says_why_is_kept_and_leaves_the_connection_alive(
    code: str, client: Client, rows: Rows
) -> None:
    sent, location, control_id = BAD[code]
    answer = await client.send(sent)
    assert (answer.code, answer.error_code) == ("AR", code)
    if location:
        assert parse(answer.raw).get("ERR-2") == location
    [(kept_code, reason, body, size, kept_id)] = rows(
        "SELECT code, reason, body, size, control_id FROM bus.refusal"
    )
    assert (kept_code, bytes(body), size, kept_id) == (code, sent, len(sent), control_id)
    assert reason == answer.reason
    assert "珅" not in reason
    assert (await client.send(message("C2"))).code == "AA"
    assert rows("SELECT control_id FROM bus.inbox") == [("C2",)]


async def test_a_missing_msh_is_found_by_its_peer(listener: Listener, rows: Rows) -> None:
    await raw_exchange(listener, framed(b"hello"))
    [(peer, endpoint, protocol)] = rows("SELECT peer, endpoint, protocol FROM bus.refusal")
    assert peer.startswith("127.0.0.1:")
    assert (endpoint, protocol) == ("mllp", "mllp")


async def test_before_25_the_refusal_is_in_the_older_form(client: Client) -> None:
    answer = await client.send(message(version="2.4", facility="X"))
    assert answer.code == "AR"
    assert (parse(answer.raw).get("ERR-1") or "").startswith("MSH^1^4^204&")


async def test_ten_megabytes_are_taken(client: Client, rows: Rows) -> None:
    sent = message(name="珅" * 5_000_000)
    assert (await client.send(sent)).code == "AA"
    assert rows("SELECT length(body) FROM bus.message") == [(len(sent),)]


async def test_a_body_that_is_not_in_its_charset_is_refused(client: Client, rows: Rows) -> None:
    answer = await client.send(message(charset="UNICODE UTF-8", codec="gb18030"))
    assert (answer.code, answer.error_code) == ("AR", "unknown_charset")
    assert rows("SELECT code FROM bus.refusal") == [("unknown_charset",)]


async def test_an_empty_msh_18_is_read_as_the_campus_is_set(client: Client, rows: Rows) -> None:
    assert (await client.send(message(facility="HP", charset="", codec="gb18030"))).code == "AA"
    assert rows("SELECT charset FROM bus.inbox") == [("gb18030",)]


async def test_the_same_again_is_answered_the_same_and_stored_once(client: Client, rows: Rows) -> None:
    for time in ("20260101", "20260102"):
        assert (await client.send(message(time=time))).code == "AA"
    assert rows("SELECT count(*) FROM bus.inbox") == [(1,)]


async def test_a_control_id_with_other_bytes_is_accepted_and_held(client: Client, rows: Rows) -> None:
    assert (await client.send(message(name="王"))).code == "AA"
    assert (await client.send(message(name="李"))).code == "AA"
    assert rows("SELECT state FROM bus.work ORDER BY id") == [(0,), (1,)]
    assert rows("SELECT code FROM bus.held") == [("control_id_conflict",)]


async def test_a_stray_connection_leaves_nothing(listener: Listener, rows: Rows) -> None:
    for _ in range(20):
        _, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.close()
        await writer.wait_closed()
    await until(lambda: listener.connections == 0)
    assert rows("SELECT count(*) FROM bus.refusal") == [(0,)]


@pytest.mark.parametrize("sent", [b"\x0bMSH|^~\\&|LIS|MAIN", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"])
async def test_a_connection_that_ends_inside_a_message_leaves_a_refusal(
    sent: bytes, listener: Listener, rows: Rows, client: Client
) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    writer.write(sent)
    await writer.drain()
    writer.close()
    await until(lambda: rows("SELECT code FROM bus.refusal") == [("framing",)])
    assert (await client.send(message())).code == "AA"


async def test_a_truncated_message_costs_neither_the_next_nor_the_connection(
    listener: Listener, rows: Rows
) -> None:
    cut = b"\x0b" + message("C1")[:60]
    answers = [read_answer(a) for a in await raw_exchange(listener, cut + framed(message("C2")), answers=2)]
    assert [(a.code, a.control_id) for a in answers] == [("AR", "C1"), ("AA", "C2")]
    assert rows("SELECT code, control_id FROM bus.refusal") == [("framing", "C1")]


async def test_a_sender_that_asks_without_start_byte_is_told(listener: Listener) -> None:
    [answer] = await raw_exchange(listener, message() + b"\x1c\r")
    assert (read_answer(answer).code, read_answer(answer).error_code) == ("AR", "framing")


class TestSmall:
    """With a small limit."""

    @pytest.fixture
    def settings(self) -> MllpSettings:
        return replace(SETTINGS, body_limit=2000, keep_limit=500)

    async def test_a_body_over_the_limit_is_refused_and_its_beginning_kept(
        self, client: Client, rows: Rows
    ) -> None:
        answer = await client.send(message(name="x" * 5000))
        assert (answer.code, answer.error_code, answer.control_id) == ("AR", "too_large", "C1")
        [(size, kept)] = rows("SELECT size, length(body) FROM bus.refusal")
        assert (size, kept) == (len(message(name="x" * 5000)), 500)
        assert (await client.send(message("C2"))).code == "AA"


class TestBusy:
    """With little room for unfinished messages."""

    @pytest.fixture
    def settings(self) -> MllpSettings:
        return replace(SETTINGS, buffer_limit=100_000)

    async def test_too_much_at_once_is_refused_for_now(
        self, listener: Listener, rows: Rows, client: Client
    ) -> None:
        [answer] = await raw_exchange(listener, b"\x0b" + message() + b"x" * 300_000)
        assert (read_answer(answer).code, read_answer(answer).error_code) == ("AE", "busy")
        assert rows("SELECT code FROM bus.refusal") == [("busy",)]
        assert (await client.send(message("C2"))).code == "AA"


class TestImpatient:
    """With short time-outs."""

    @pytest.fixture
    def settings(self) -> MllpSettings:
        return replace(SETTINGS, frame_seconds=0.2, idle_seconds=0.3)

    async def test_a_sender_that_stalls_inside_a_message_is_told_and_closed(
        self, listener: Listener, rows: Rows
    ) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(b"\x0b" + message())
        answer = read_answer((await reader.readuntil(b"\x1c\r"))[1:-2])
        assert (answer.code, answer.control_id) == ("AR", "C1")
        assert await reader.read() == b""
        writer.close()
        assert rows("SELECT code FROM bus.refusal") == [("framing",)]

    async def test_a_silent_connection_is_closed(self, listener: Listener) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        assert await reader.read() == b""
        writer.close()


class TestCrowded:
    """With room for two."""

    @pytest.fixture
    def settings(self) -> MllpSettings:
        return replace(SETTINGS, connections=2)

    async def test_one_too_many_is_turned_away_and_the_others_go_on(
        self, listener: Listener, client: Client
    ) -> None:
        assert (await client.send(message())).code == "AA"
        second = await asyncio.open_connection("127.0.0.1", listener.port)
        await until(lambda: listener.connections == 2)
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        assert await reader.read() == b""
        assert (await client.send(message("C2"))).code == "AA"
        for each in (writer, second[1]):
            each.close()


class TestEnhanced:
    """Where MSH-15 and MSH-16 are obeyed."""

    @pytest.fixture
    def settings(self) -> MllpSettings:
        return replace(SETTINGS, enhanced=True)

    @pytest.mark.parametrize(
        ("asked", "stored", "refused"),
        [
            ("AL|NE", ["CA"], ["CR"]),
            ("AL|", ["CA"], ["CR"]),
            ("AL|AL", ["CA", "AA"], ["CR"]),
            ("NE|AL", ["AA"], ["AR"]),
            ("|AL", ["AA"], ["AR"]),
            ("SU|ER", ["CA"], ["AR"]),
            ("ER|SU", ["AA"], ["CR"]),
            ("NE|NE", [], []),
            ("|", ["AA"], ["AR"]),
        ],
    )
    async def test_the_sender_says_which_answers_it_wants(
        self, asked: str, stored: list[str], refused: list[str], listener: Listener, rows: Rows
    ) -> None:
        sent = [
            message("C1").replace(b"|P|2.5||||||", f"|P|2.5|||{asked}||".encode()),
            message("C2", facility="X").replace(b"|P|2.5||||||", f"|P|2.5|||{asked}||".encode()),
            message("C3"),
        ]
        stream = b"".join(framed(one) for one in sent)
        count = len(stored) + len(refused) + 1
        found = [read_answer(raw) for raw in await raw_exchange(listener, stream, answers=count)]
        assert [(answer.control_id, answer.code) for answer in found] == [
            *(("C1", code) for code in stored),
            *(("C2", code) for code in refused),
            ("C3", "AA"),
        ]
        assert len({answer.raw.split(b"|")[9] for answer in found}) == len(found)
        assert rows("SELECT control_id FROM bus.inbox ORDER BY id") == [("C1",), ("C3",)]

    async def test_a_store_that_is_away_is_answered_ce_by_whom_asks_for_it(self) -> None:
        async with Inbox("postgresql://nobody@127.0.0.1:1/none", "key", patience=0) as inbox:
            listener = Listener(replace(SETTINGS, enhanced=True), inbox)
            await listener.start()
            async with Client("127.0.0.1", listener.port) as client:
                for asked, code in (("AL|AL", "CE"), ("NE|AL", "AE")):
                    sent = message().replace(b"|P|2.5||||||", f"|P|2.5|||{asked}||".encode())
                    assert (await client.send(sent)).code == code
            await listener.stop()

    async def test_who_wants_no_answer_gets_none_and_is_stored(self, listener: Listener, rows: Rows) -> None:
        silent = message("C1").replace(b"|P|2.5||||||", b"|P|2.5|||NE|NE||")
        [answer] = await raw_exchange(listener, framed(silent) + framed(message("C2")))
        assert read_answer(answer).control_id == "C2"
        assert rows("SELECT control_id FROM bus.inbox ORDER BY id") == [("C1",), ("C2",)]


async def test_a_store_that_is_away_is_answered_ae_and_never_aa() -> None:
    async with Inbox("postgresql://nobody@127.0.0.1:1/none", "key", patience=0) as inbox:
        listener = Listener(SETTINGS, inbox)
        await listener.start()
        async with Client("127.0.0.1", listener.port) as client:
            answer = await client.send(message())
            assert (answer.code, answer.error_code) == ("AE", "store_away")
            assert (await client.send(message(facility="X"))).code == "AE"
        await listener.stop()


async def test_a_sender_that_does_not_read_is_not_read_from(listener: Listener, rows: Rows) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port, limit=2**16)
    total = 3000
    stream = b"".join(framed(message(f"C{n}")) for n in range(total))
    writer.write(stream)
    [connection] = listener._connections
    await until(lambda: rows("SELECT count(*) > 0 FROM bus.inbox") == [(True,)])
    assert len(connection._turns) < total
    for n in range(total):
        answer = read_answer((await reader.readuntil(b"\x1c\r"))[1:-2])
        assert (answer.code, answer.control_id) == ("AA", f"C{n}")
    writer.close()


async def test_stopping_answers_what_is_in_flight_and_takes_nothing_new(
    database_url: str, rows: Rows
) -> None:
    async with Inbox(database_url, "key") as inbox:
        listener = Listener(SETTINGS, inbox)
        await listener.start()
        port = listener.port
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"".join(framed(message(f"C{n}")) for n in range(50)))
        await until(lambda: inbox.queued or inbox.stored)
        await listener.stop()
        answers = (await reader.read()).split(b"\x1c\r")[:-1]
        writer.close()
        with pytest.raises(OSError, match="Connect call failed"):
            await asyncio.open_connection("127.0.0.1", port)
    accepted = [read_answer(a[1:]).control_id for a in answers]
    stored = [control_id for (control_id,) in rows("SELECT control_id FROM bus.inbox ORDER BY id")]
    assert accepted == stored == [f"C{n}" for n in range(50)]


async def test_a_client_drops_a_late_answer_with_its_connection() -> None:
    first = asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sent = (await reader.readuntil(b"\x1c\r"))[1:-2]
        if not first.is_set():
            first.set()
            await reader.read()
        else:
            control_id = parse(sent).get("MSH-10")
            writer.write(framed(b"MSH|^~\\&|A|B\rMSA|AA|OTHER\r"))
            writer.write(framed(f"MSH|^~\\&|A|B\rMSA|AA|{control_id}\r".encode()))
        writer.close()

    server = await asyncio.start_server(slow, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with Client("127.0.0.1", port, timeout=0.3) as client:
        with pytest.raises(RetryableError, match="no answer"):
            await client.send(message("C1"))
        assert (await client.send(message("C2"))).control_id == "C2"
    server.close()
    await server.wait_closed()
