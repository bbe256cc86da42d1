"""The identity endpoint as a listener and as a process."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from adapters.mllp.client import Client
from adapters.mllp.pix.replies import PixReplies
from adapters.mllp.pix.settings import Subjects, pix_settings
from adapters.mllp.server import Listener
from adapters.tls import client_context
from bus.hl7.message import parse
from bus.inbox import Inbox
from bus.pix.manager import Manager
from runtime import ports
from runtime.settings import Settings
from tests.certificates import Authority
from tests.conftest import CHECKOUT
from tests.integration.adapters.mllp.conftest import Rows, until
from tests.integration.bus.clinic import KEY, engine_of


def feed(control_id: str, number: str = "M1", facility: str = "MAIN") -> bytes:
    """Return an ADT^A04."""
    return (
        f"MSH|^~\\&|HIS|{facility}|PIX|GROUP|20261125090000||ADT^A04|{control_id}|P|2.5\r"
        f"EVN||20261125090000\rPID|||{number}^^^{facility}||王^珅||19800101|M\rPV1||O\r"
    ).encode()


def cross(control_id: str, number: str) -> bytes:
    """Return a PIX query."""
    return (
        f"MSH|^~\\&|HIS|MAIN|PIX|GROUP|20261125090000||QBP^Q23|{control_id}|P|2.5\r"
        f"QPD|IHE PIX Query|T1|{number}^^^MAIN\rRCP|I\r"
    ).encode()


@asynccontextmanager
async def listening(database_url: str, **told: Any) -> AsyncIterator[Listener]:
    """Run the endpoint on a free port."""
    settings = Settings.model_validate({"database_url": database_url, "routing_key": KEY, **told})
    engine = engine_of(database_url)
    manager = Manager(settings, engine)
    async with Inbox(database_url, KEY, patience=0.0) as inbox:
        listener = Listener(
            replace(pix_settings(settings), port=0),
            inbox,
            replies=lambda one: PixReplies(one, manager, Subjects(settings.pix.applications)),
        )
        await listener.start()
        yield listener
        await listener.stop()
    engine.dispose()


async def test_what_is_sent_at_once_is_answered_in_order_with_its_effect(database_url: str) -> None:
    messages = [feed("F1"), cross("Q1", "M1"), feed("F2", "M2"), cross("Q2", "M2"), cross("Q3", "M3")]
    async with listening(database_url) as listener:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(b"".join(b"\x0b" + message + b"\x1c\r" for message in messages))
        answers = [parse((await reader.readuntil(b"\x1c\r"))[1:-2]) for _ in messages]
        writer.close()
    assert [(a.get("MSA-2"), a.get("MSA-1")) for a in answers] == [
        ("F1", "AA"),
        ("Q1", "AA"),
        ("F2", "AA"),
        ("Q2", "AA"),
        ("Q3", "AE"),
    ]
    assert (listener.accepted, listener.refused) == (5, 0)


async def test_a_refused_feed_is_in_the_message_list(
    database_url: str, messages_list: Callable[..., list[dict[str, Any]]]
) -> None:
    async with listening(database_url) as listener, Client("127.0.0.1", listener.port) as client:
        wrong = await client.send(feed("F1", facility="MAIN").replace(b"M1^^^MAIN", b"M1^^^NOWHERE"))
        garbled = await client.send(
            b"MSH|^~\\&|HIS|MAIN|PIX|GROUP|20261125090000||ADT^A04|F2|P|2.5\rPID|||\xff\r"
        )
        assert (await client.send(feed("F3"))).code == "AA"
    assert (wrong.code, wrong.error_code) == ("AE", "unknown_domain")
    assert garbled.code == "AR"
    found = messages_list("--state", "refused")
    assert {(one["control_id"], one["code"]) for one in found} >= {("F1", "unknown_domain")}
    assert {one["endpoint"] for one in found} == {"pix"}
    assert listener.refused == 2


async def test_a_batch_is_refused(database_url: str) -> None:
    async with listening(database_url) as listener:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(b"\x0bBHS|^~\\&|HIS|MAIN\r" + feed("F1") + b"BTS|1\r\x1c\r")
        answer = await reader.readuntil(b"\x1c\r")
        writer.close()
    assert b"MSA|AR" in answer


async def test_without_a_database_it_is_told_to_try_again(database_url: str) -> None:
    settings = Settings.model_validate({"database_url": database_url, "routing_key": KEY})
    nowhere = sa.create_engine("postgresql+psycopg://nobody@127.0.0.1:1/none", poolclass=sa.NullPool)
    async with Inbox(database_url, KEY, patience=0.0) as inbox:
        manager = Manager(settings, nowhere)
        listener = Listener(
            replace(pix_settings(settings), port=0),
            inbox,
            replies=lambda one: PixReplies(one, manager, Subjects(settings.pix.applications)),
        )
        await listener.start()
        async with Client("127.0.0.1", listener.port) as client:
            answer = await client.send(feed("F1"))
        await listener.stop()
    assert (answer.code, answer.error_code) == ("AE", "store_away")
    assert listener.unavailable == 1


async def test_a_certificate_speaks_for_its_campus_alone(database_url: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path, "CA")
    server, his = authority.issue("CN=bus"), authority.issue("CN=his,O=院本部")
    told = {
        "certificate": server.certificate,
        "key": server.key,
        "client_ca": authority.certificate,
        "applications": [
            {"application": "HIS", "facility": "MAIN", "subject": "CN=his,O=院本部"},
            {"application": "HIS", "facility": "HP", "subject": "CN=his,O=黄埔院区"},
        ],
    }
    tls = client_context(authority.certificate, his.certificate, his.key)
    async with (
        listening(database_url, pix=told) as listener,
        Client("127.0.0.1", listener.port, tls=tls, server_name="127.0.0.1") as client,
    ):
        assert (await client.send(feed("F1"))).code == "AA"
        other = await client.send(feed("F3").replace(b"|HIS|", b"|LIS|"))
        answer = await client.send(feed("F2", "H1", "HP"))
    assert (other.code, other.error_code) == ("AR", "wrong_application")
    assert (answer.code, answer.error_code) == ("AR", "wrong_campus")


async def test_the_process_serves_and_ends_at_sigterm(database_url: str, rows: Rows) -> None:
    port = ports.any_free()
    told = {"DATABASE_URL": database_url, "ROUTING_KEY": KEY, "PIX_PORT": str(port)}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "adapters.mllp.pix"),
        env={**os.environ, **{f"YILIAN_{name}": value for name, value in told.items()}},
        cwd=CHECKOUT,
    )
    try:
        await until(lambda: ports.accepts("127.0.0.1", port, 0.2), 30)
        async with Client("127.0.0.1", port) as client:
            assert (await client.send(feed("F1"))).code == "AA"
        await until(lambda: rows("SELECT 1 FROM bus.heartbeat WHERE name = 'pix'"))
        await until(lambda: rows("SELECT 1 FROM bus.watermark WHERE poller = 'pix-notices'"))
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(15):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
