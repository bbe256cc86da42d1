"""Endpoints with TLS: who is let in, who may send for which campus, and how the others find out why not."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.mllp.client import Client
from adapters.mllp.server import Listener
from adapters.tls import Tls, client_context
from bus.inbox import Inbox
from consortium.errors import RetryableError
from runtime.ports import any_free
from tests.certificates import Authority, Issued
from tests.conftest import CHECKOUT
from tests.integration.adapters.mllp.conftest import SETTINGS, Rows, until
from tests.integration.adapters.mllp.test_listener import message

HUANGPU = "CN=engine,O=黄埔院区"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """The consortium's own."""
    return Authority(tmp_path)


@pytest.fixture
def tls(authority: Authority) -> Tls:
    """What the listener is told: certificates are asked for, and Huangpu's engine sends for Huangpu."""
    ours = authority.issue("CN=bus")
    senders = {HUANGPU: frozenset({"HP"})}
    return Tls(ours.certificate, ours.key, authority.certificate, senders=senders, handshake_seconds=0.5)


@asynccontextmanager
async def listening(database_url: str, tls: Tls | None) -> AsyncIterator[Listener]:
    """Listen with a real inbox."""
    async with Inbox(database_url, "key", patience=0.0) as inbox:
        listener = Listener(replace(SETTINGS, endpoint="tls", tls=tls), inbox)
        await listener.start()
        yield listener
        await listener.stop()


@pytest.fixture
async def listener(database_url: str, tls: Tls) -> AsyncIterator[Listener]:
    """A listener that runs."""
    async with listening(database_url, tls) as listener:
        yield listener


def client(listener: Listener, authority: Authority, ours: Issued | None) -> Client:
    """A client that trusts the authority, with a certificate or none."""
    context = client_context(
        authority.certificate, ours.certificate if ours else None, ours.key if ours else None
    )
    return Client("127.0.0.1", listener.port, timeout=10, tls=context)


async def test_a_sender_with_its_certificate_sends_for_its_campus(
    listener: Listener, authority: Authority, rows: Rows
) -> None:
    async with client(listener, authority, authority.issue(HUANGPU)) as huangpu:
        answers = [await huangpu.send(message(f"C{n}", facility="HP")) for n in range(3)]
    assert {answer.code for answer in answers} == {"AA"}
    assert rows("SELECT facility, endpoint FROM bus.inbox") == [("HP", "tls")] * 3


async def test_for_another_campus_it_is_refused_and_told_why(
    listener: Listener, authority: Authority, rows: Rows
) -> None:
    async with client(listener, authority, authority.issue(HUANGPU)) as huangpu:
        answer = await huangpu.send(message(facility="MAIN"))
        assert (answer.code, answer.error_code) == ("AR", "wrong_campus")
        assert (answer.reason or "").endswith("may send for HP alone")
        assert (await huangpu.send(message("C2", facility="HP"))).code == "AA"
    reason = f"MSH-4 names another campus: {HUANGPU} may send for HP alone"
    [refusal] = rows("SELECT code, facility, control_id, reason FROM bus.refusal")
    assert refusal == ("wrong_campus", "MAIN", "C1", reason)
    assert rows("SELECT control_id FROM bus.inbox") == [("C2",)]


async def test_a_certificate_that_is_not_listed_may_send_for_nobody(
    listener: Listener, authority: Authority
) -> None:
    async with client(listener, authority, authority.issue("CN=engine")) as other:
        answer = await other.send(message(facility="HP"))
    assert (answer.code, answer.error_code) == ("AR", "wrong_campus")
    assert "for no campus" in (answer.reason or "")


async def refused_handshake(listener: Listener, connecting: Client, rows: Rows) -> str:
    """Try to send; return the reason that is kept."""
    async with connecting:
        with pytest.raises(RetryableError):
            await connecting.send(message(facility="HP"))
    await until(lambda: rows("SELECT count(*) FROM bus.refusal") == [(1,)])
    [(code, reason, peer)] = rows("SELECT code, reason, peer FROM bus.refusal")
    assert code == "tls"
    assert peer.startswith("127.0.0.1:")
    assert rows("SELECT count(*) FROM bus.inbox") == [(0,)]
    assert listener.connections == 0
    return str(reason)


async def test_without_a_certificate_nobody_comes_in(
    listener: Listener, authority: Authority, rows: Rows
) -> None:
    reason = await refused_handshake(listener, client(listener, authority, None), rows)
    assert reason == "the sender has no certificate, and this endpoint asks for one"


async def test_a_certificate_of_another_authority_is_refused(
    listener: Listener, authority: Authority, rows: Rows, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    stranger = Authority(tmp_path / "other", "陌生CA").issue(HUANGPU)
    reason = await refused_handshake(listener, client(listener, authority, stranger), rows)
    assert reason.startswith("the sender's certificate is refused: unable to get local issuer")


async def test_an_expired_certificate_is_refused(
    listener: Listener, authority: Authority, rows: Rows
) -> None:
    expired = authority.issue(HUANGPU, lasts=timedelta(days=-1))
    reason = await refused_handshake(listener, client(listener, authority, expired), rows)
    assert reason == "the sender's certificate is refused: certificate has expired"


async def test_plain_text_at_a_tls_endpoint_is_told(listener: Listener, rows: Rows) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    writer.write(b"\x0b" + message() + b"\x1c\r")
    assert b"AA" not in await reader.read()
    writer.close()
    await until(lambda: rows("SELECT count(*) FROM bus.refusal") == [(1,)])
    [(reason,)] = rows("SELECT reason FROM bus.refusal")
    assert "does not speak TLS" in reason


async def test_a_handshake_that_stalls_is_given_up(listener: Listener, rows: Rows) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    assert await reader.read() == b""
    writer.close()
    await until(lambda: rows("SELECT reason FROM bus.refusal") != [])


async def test_who_only_looks_whether_the_port_is_open_leaves_nothing(
    listener: Listener, rows: Rows, authority: Authority
) -> None:
    for _ in range(5):
        _, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.close()
        await writer.wait_closed()
    async with client(listener, authority, authority.issue(HUANGPU)) as huangpu:
        assert (await huangpu.send(message(facility="HP"))).code == "AA"
    assert rows("SELECT count(*) FROM bus.refusal") == [(0,)]


async def test_a_client_does_not_send_to_whom_it_does_not_trust(
    listener: Listener, authority: Authority, rows: Rows, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    stranger = Authority(tmp_path / "other", "陌生CA")
    async with client(listener, stranger, authority.issue(HUANGPU)) as suspicious:
        with pytest.raises(RetryableError, match=r"no TLS with 127.0.0.1:.*certificate"):
            await suspicious.send(message(facility="HP"))
    assert rows("SELECT count(*) FROM bus.inbox") == [(0,)]


async def test_where_certificates_are_optional_one_without_sends_for_nobody_that_is_listed(
    database_url: str, tls: Tls, authority: Authority
) -> None:
    async with listening(database_url, replace(tls, required=False)) as listener:
        async with client(listener, authority, None) as nobody:
            answer = await nobody.send(message(facility="HP"))
        assert (answer.code, answer.error_code) == ("AR", "wrong_campus")
        assert "without certificate" in (answer.reason or "")


async def test_tls_without_client_certificates_lets_every_campus_in(
    database_url: str, tls: Tls, authority: Authority
) -> None:
    async with (
        listening(database_url, Tls(tls.certificate, tls.key)) as listener,
        client(listener, authority, None) as anybody,
    ):
        assert (await anybody.send(message(facility="MAIN"))).code == "AA"


async def test_a_large_message_and_many_at_once(listener: Listener, authority: Authority, rows: Rows) -> None:
    async with client(listener, authority, authority.issue(HUANGPU)) as huangpu:
        assert (await huangpu.send(message(name="珅" * 1_000_000, facility="HP"))).code == "AA"
    context = client_context(authority.certificate, *_files(authority.issue(HUANGPU)))
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port, ssl=context)
    writer.write(b"".join(b"\x0b" + message(f"D{n}", facility="HP") + b"\x1c\r" for n in range(200)))
    for _ in range(200):
        assert b"MSA|AA|D" in await reader.readuntil(b"\x1c\r")
    writer.close()
    assert rows("SELECT count(*) FROM bus.inbox") == [(201,)]


def _files(issued: Issued) -> tuple[Path, Path]:
    return issued.certificate, issued.key


@pytest.fixture
def home(tmp_path: Path, tls: Tls) -> tuple[Path, int, int]:
    """A home folder whose settings name two endpoints, and their ports."""
    folder, plain, secured = tmp_path / "home", any_free(), any_free()
    folder.mkdir()
    (folder / "settings.toml").write_text(
        f'mllp_port = {plain}\n[[mllp_endpoints]]\nname = "tls"\nport = {secured}\n'
        f'certificate = "{tls.certificate}"\nkey = "{tls.key}"\nclient_ca = "{tls.client_ca}"\n'
        f'[[mllp_endpoints.senders]]\nsubject = "{HUANGPU}"\ncampuses = ["HP"]\n',
        encoding="utf-8",
    )
    return folder, plain, secured


async def started(folder: Path, database_url: str) -> asyncio.subprocess.Process:
    """Start `python -m adapters.mllp`."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "adapters.mllp", cwd=CHECKOUT, stderr=asyncio.subprocess.PIPE,
        env={"YILIAN_HOME": str(folder), "YILIAN_DATABASE_URL": database_url, "YILIAN_ROUTING_KEY": "key"},
    )  # fmt: skip


async def test_one_process_listens_plain_and_with_tls_at_once(
    home: tuple[Path, int, int], database_url: str, authority: Authority, rows: Rows
) -> None:
    folder, plain, secured = home
    process = await started(folder, database_url)
    assert process.stderr is not None
    listening = 0
    while listening < 2:
        line = await asyncio.wait_for(process.stderr.readline(), 30)
        assert line, "the process ended"
        listening += b'"listening"' in line
    context = client_context(authority.certificate, *_files(authority.issue(HUANGPU)))
    async with Client("127.0.0.1", plain) as here, Client("127.0.0.1", secured, tls=context) as there:
        assert (await here.send(message("C1"))).code == "AA"
        assert (await there.send(message("C2", facility="HP"))).code == "AA"
        assert (await there.send(message("C3"))).code == "AR"
    assert rows("SELECT control_id, endpoint FROM bus.inbox ORDER BY id") == [("C1", "mllp"), ("C2", "tls")]
    stranger = client_context(authority.certificate)
    async with Client("127.0.0.1", secured, tls=stranger) as nobody:
        with pytest.raises(RetryableError):
            await nobody.send(message("C4"))
    await until(lambda: rows("SELECT code FROM bus.refusal ORDER BY id") == [("wrong_campus",), ("tls",)])
    await until(lambda: rows("SELECT 1 FROM bus.heartbeat WHERE detail -> 'tls' ->> 'accepted' = '1'"), 20)
    process.terminate()
    await process.communicate()
    assert process.returncode == 0


async def test_a_wrong_certificate_ends_the_process_with_its_reason(
    home: tuple[Path, int, int], database_url: str, tls: Tls
) -> None:
    tls.key.unlink()
    process = await started(home[0], database_url)
    _, log = await process.communicate()
    assert process.returncode == 2
    assert b"bad_settings" in log
    assert b"cannot be read: No such file" in log
