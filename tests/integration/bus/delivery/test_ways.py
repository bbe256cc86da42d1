"""SOAP, REST and tables as the process runs them: files, secrets and rules folder, real receivers."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from adapters.exchange import Exchange, Request
from adapters.soap.server import create_app
from adapters.uploads import UploadSettings
from bus.delivery.transport import NotSentError, SentForm
from bus.rules.destinations import RestDestination
from tests.certificates import Authority
from tests.contract.outbound.http_harness import patient_wsdl, pinned, plain
from tests.contract.outbound.http_receiver import Server
from tests.integration.adapters.serving import authenticate, serving
from tests.integration.bus.clinic import rows
from tests.integration.bus.delivery.process import delivery
from tests.integration.bus.delivery.queue import enqueue, messages, states, until

TOKEN = "good-token"
"""That our own service knows."""
SOAP = """
name: emr
description: another Yilian
facility: HP
kind: soap
address: {url}/patient
wsdl: patient.wsdl
operation: UploadPatient
port: {port}
sign_in: {{secret: emr}}
arguments:
  消息头:
    消息编号: MSH-10
    发送系统: {{const: 医联}}
    机构代码: {{const: HP}}
    时间: {{path: MSH-7, as: datetime}}
  患者信息: {{患者编号: PID-3.1, 姓名: {{path: PID-5, as: name}}}}
"""
REST = """
name: portal
description: a portal
facility: GROUP
kind: rest
address: {url}/in
method: PUT
sign_in: {{user: yilian, secret: portal}}
"""
TABLES = """
name: lis
description: a table
facility: HY
kind: tables
database: lis
table: arrived
key: [control_id]
columns: {{control_id: MSH-10, {column}: PID-3.1}}
"""


ARRIVED = (
    "CREATE TABLE arrived (control_id text PRIMARY KEY, patient text,"
    " written timestamptz DEFAULT clock_timestamp())"
)


@pytest.fixture
def yilian(database_url: str) -> Iterator[str]:
    """Our own SOAP service, into the inbox of the same database."""
    settings = UploadSettings(frozenset({"HP"}), body_limit=200_000)
    with serving(database_url, lambda inbox: create_app(inbox, settings, authenticate), "/soap") as url:
        yield f"{url}/soap"


async def test_the_process_sends_by_soap_rest_and_tables(
    database_url: str, tmp_path: Path, yilian: str
) -> None:
    rules = tmp_path / "rules"
    folder = rules / "destinations"
    pinned(folder / "emr", patient=patient_wsdl())
    portal = Server(plain)
    origin = portal.start()
    with psycopg.connect(database_url) as connection:
        connection.execute(ARRIVED)
    files = {
        "emr": SOAP.format(url=yilian, port="Soap12"),
        "portal": REST.format(url=origin),
        "lis": TABLES.format(column="patients"),
    }
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
        enqueue(database_url, name, *messages(4, patients=2, start=10 * (1 + list(files).index(name))))

    def problem() -> str:
        [(detail,)] = rows(database_url, "SELECT detail FROM bus.heartbeat WHERE name = 'delivery'") or [
            ({},)
        ]
        return str(detail.get("lis", {}).get("problem", ""))

    secrets = {"EMR": TOKEN, "PORTAL": "a password", "LIS": database_url}
    told = {f"DELIVERY_SECRETS__{name}": value for name, value in secrets.items()}
    try:
        async with delivery(database_url, rules, tmp_path, **told):
            for name in ("emr", "portal"):
                await until(lambda name=name: states(database_url, name) == ["delivered"] * 4, 60)  # type: ignore[misc]  # bound at once
            await until(lambda: "there is no column patients" in problem(), 30)
            assert set(states(database_url, "lis")) == {"queued"}
            (folder / "lis.yaml").write_text(TABLES.format(column="patient"), encoding="utf-8")
            await until(lambda: states(database_url, "lis") == ["delivered"] * 4, 60)
    finally:
        portal.stop()
    assert [request.method for request in portal.requests] == ["PUT"] * 4
    assert {request.headers["authorization"] for request in portal.requests} == {
        "Basic eWlsaWFuOmEgcGFzc3dvcmQ="
    }
    taken = rows(database_url, "SELECT control_id, body FROM bus.message WHERE protocol = 'soap' ORDER BY id")
    assert sorted(control for control, _ in taken) == ["P1-10", "P1-11", "P2-10", "P2-11"]
    assert all("王珅".encode() in bytes(body) for _, body in taken)
    query = "SELECT control_id, patient FROM arrived WHERE patient = 'M1' ORDER BY written"
    assert rows(database_url, query) == [("P1-30", "M1"), ("P1-31", "M1")]
    log = (tmp_path / "delivery.log").read_text()
    for kept_back in (TOKEN, "a password", "王珅", database_url):
        assert kept_back not in log


def way(url: str, ca: Path) -> Exchange:
    values: dict[str, Any] = {"name": "x", "description": "x", "facility": "HP", "kind": "rest"}
    return Exchange(RestDestination(**values, address=url, tls={"ca": ca}, timeout_seconds=5.0))


async def nothing(_form: SentForm) -> None:
    """Nobody is told."""


async def test_over_https_the_pinned_authority_alone_is_believed(tmp_path: Path) -> None:
    """What SOAP, REST and webhooks share."""
    ours, other = Authority(tmp_path), Authority(tmp_path, "other")
    issued = ours.issue("CN=portal")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(issued.certificate, issued.key)
    got: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.append(await reader.readuntil(b"\r\n\r\n{}"))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        request = Request("POST", url, {"content-type": "application/json"}, b"{}", SentForm(b"{}", "utf-8"))
        stranger = way(url, other.certificate)
        with pytest.raises(NotSentError):
            await stranger.send(request, nothing)
        await stranger.close()
        assert got == []
        known = way(url, ours.certificate)
        assert (await known.send(request, nothing)).status == 200
        await known.close()
    assert len(got) == 1
