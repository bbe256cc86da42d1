"""MLLP clients nobody here wrote, against our listener."""

import asyncio
import sys
from datetime import date

import hl7
import hl7.mllp
import psycopg
import pytest
from hl7.client import MLLPClient

from simulators.main_campus.day import day

DAY = [message for message in day(7, date(2026, 11, 20), 0.1) if message.expect == "recorded"]
CODECS = {"HIS": "gb18030", "RIS": "gb18030", "LIS": "utf-8", "EMR": "utf-8"}


def bodies(database_url):
    with psycopg.connect(database_url) as connection:
        rows = connection.execute("SELECT control_id, body FROM bus.message ORDER BY id").fetchall()
    return {control_id: bytes(body) for control_id, body in rows}


async def test_hl7s_client_sends_chinese_in_both_charsets(listener, database_url):
    def send():
        with MLLPClient("127.0.0.1", listener.port) as client:
            client.socket.settimeout(20)
            return [client.send_message(message.body) for message in DAY]

    answers = await asyncio.to_thread(send)
    for message, raw in zip(DAY, answers, strict=True):
        answer = hl7.parse(raw[1:-2].decode(CODECS[message.application]))
        assert str(answer.segment("MSA")[1]) == "AA"
        assert str(answer.segment("MSA")[2]) == message.control_id
    assert bodies(database_url) == {message.control_id: message.body for message in DAY}


async def test_hl7s_client_encodes_a_message_object(listener, database_url):
    message = next(message for message in DAY if message.application == "LIS")
    parsed = hl7.parse(message.body.decode("utf-8"))

    def send():
        with MLLPClient("127.0.0.1", listener.port, encoding="utf-8") as client:
            client.socket.settimeout(20)
            return client.send_message(parsed)

    assert b"MSA|AA|" in await asyncio.to_thread(send)
    stored = bodies(database_url)[message.control_id]
    assert hl7.parse(stored.decode("utf-8")) == parsed


@pytest.mark.parametrize("loose", [True, False])
async def test_mllp_send_sends_a_file(listener, database_url, tmp_path, loose):
    chosen = [message for message in DAY if message.application == "EMR"][:3]
    assert len(chosen) == 3
    file = tmp_path / "messages.hl7"
    if loose:
        file.write_bytes(b"".join(message.body.replace(b"\r", b"\n") for message in chosen))
    else:
        file.write_bytes(b"".join(b"\x0b" + message.body + b"\x1c\r" for message in chosen))
    options = ["--loose"] if loose else []
    sender = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from hl7.client import mllp_send; mllp_send()",
        "--port",
        str(listener.port),
        "--file",
        str(file),
        *options,
        "127.0.0.1",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        said, complaint = await sender.communicate()
    assert sender.returncode == 0, complaint.decode()
    assert said.count(b"MSA|AA|") == 3
    stored = bodies(database_url)
    for message in chosen:
        assert stored[message.control_id].rstrip(b"\r") == message.body.rstrip(b"\r")


async def test_hl7s_asyncio_client_speaks_with_us(listener, database_url):
    message = next(message for message in DAY if message.application == "EMR")
    reader, writer = await hl7.mllp.open_hl7_connection(
        "127.0.0.1", listener.port, encoding="utf-8", limit=2**20
    )
    writer.writemessage(hl7.parse(message.body.decode("utf-8")))
    await writer.drain()
    async with asyncio.timeout(20):
        answer = await reader.readmessage()
    writer.close()
    await writer.wait_closed()
    assert str(answer.segment("MSA")[1]) == "AA"
    assert str(answer.segment("MSA")[2]) == message.control_id
    assert message.control_id in bodies(database_url)
