"""Webhook, REST, SOAP 1.1 and SOAP 1.2 towards one HTTP server."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lxml import etree

from adapters.rest.outbound import RestTransport
from adapters.rest.webhook import WebhookTransport
from adapters.soap.interfaces import interfaces
from adapters.soap.outbound import SoapTransport
from adapters.soap.versions import Version
from adapters.soap.wsdl import render
from bus.delivery.transport import Transport
from bus.rules.destinations import AnyDestination, RestDestination, SoapDestination, WebhookDestination
from bus.rules.sending.pins import SUMS
from tests.contract.outbound.harness import How
from tests.contract.outbound.http_receiver import Got, Server
from tests.integration.bus.delivery.queue import BREAKER, RETRY

STATUS = {How.TAKES: 200, How.REFUSES: 422, How.LATER: 503, How.WRONG_DOOR: 401}
FAULTS = {
    Version.V11: {How.REFUSES: "Client", How.LATER: "Server", How.WRONG_DOOR: "wsse:FailedAuthentication"},
    Version.V12: {How.REFUSES: "Sender", How.LATER: "Receiver", How.WRONG_DOOR: "Sender"},
}
COMMON: dict[str, Any] = {
    "name": "way",
    "description": "of the test",
    "facility": "HP",
    "retry": RETRY,
    "breaker": BREAKER,
    "timeout_seconds": 2.0,
    "connections": 3,
}
PATIENT = {
    "消息头": {
        "消息编号": "MSH-10",
        "发送系统": {"const": "HIS"},
        "机构代码": "MSH-4",
        "时间": {"path": "MSH-7", "as": "datetime"},
    },
    "患者信息": {"患者编号": "PID-3.1", "姓名": {"path": "PID-5", "as": "name"}},
}


def plain(how: How) -> tuple[int, str, bytes]:
    """Answer by status alone."""
    return STATUS[how], "text/plain", b"said"


def soap_says(version: Version) -> Callable[[How], tuple[int, str, bytes]]:
    """Answer with an envelope: a fault, or anything else."""

    def says(how: How) -> tuple[int, str, bytes]:
        if how is How.TAKES:
            return 200, version.media_type, soap(version, '<y:ok xmlns:y="urn:x"/>')
        return 500, version.media_type, soap(version, fault(version, FAULTS[version][how], how))

    return says


def fault(version: Version, code: str, how: How) -> str:
    """Return a fault as the version writes it."""
    if version is Version.V11:
        return f"<s:Fault><faultcode>{code}</faultcode><faultstring>no</faultstring></s:Fault>"
    sub = "<s:Subcode><s:Value>wsse:FailedAuthentication</s:Value></s:Subcode>" * (how is How.WRONG_DOOR)
    return (
        f"<s:Fault><s:Code><s:Value>s:{code}</s:Value>{sub}</s:Code>"
        "<s:Reason><s:Text>no</s:Text></s:Reason></s:Fault>"
    )


def soap(version: Version, body: str) -> bytes:
    """Return an envelope."""
    return f'<s:Envelope xmlns:s="{version.value}"><s:Body>{body}</s:Body></s:Envelope>'.encode()


def pinned(folder: Path, **files: bytes) -> Path:
    """Write files and their digests as an engineer does."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for name, content in files.items():
        (folder / f"{name}.wsdl").write_bytes(content)
        lines.append(f"{hashlib.sha256(content).hexdigest()}  {name}.wsdl\n")
    (folder / SUMS).write_text("".join(lines))
    return folder


def patient_wsdl() -> bytes:
    """Return the WSDL of our own service for patients: a port for each version."""
    return render(interfaces()["patient"], "http://nowhere.example/patient")


def webhook(origin: str) -> tuple[WebhookDestination, Transport]:
    """Return the way of a webhook."""
    spec = WebhookDestination(**COMMON, kind="webhook", address=f"{origin}/hook", secret="hook")
    return spec, WebhookTransport(spec, "a shared secret")


def rest(origin: str) -> tuple[RestDestination, Transport]:
    """Return the way of REST, which makes JSON of the message."""
    body = {"id": "MSH-10", "patient": {"number": "PID-3.1", "name": {"path": "PID-5", "as": "name"}}}
    spec = RestDestination(**COMMON, kind="rest", address=f"{origin}/in/{{PID-3.1}}", body=body)
    return spec, RestTransport(spec, {})


def soap_way(port: str) -> Callable[[str], tuple[SoapDestination, Transport]]:
    """Return the way of SOAP by a port of our WSDL."""

    def way(origin: str) -> tuple[SoapDestination, Transport]:
        security = {"user": "yilian", "secret": "soap"}
        spec = SoapDestination(
            **COMMON,
            kind="soap",
            address=f"{origin}/soap",
            wsdl="patient.wsdl",
            operation="UploadPatient",
            port=port,
            arguments=PATIENT,
            security=security,
        )
        with tempfile.TemporaryDirectory() as folder:
            return spec, SoapTransport(
                spec, pinned(Path(folder), patient=patient_wsdl()), {"soap": "a password"}
            )

    return way


@dataclass
class HttpPeer:
    """One HTTP server, and our way to it."""

    spec: AnyDestination
    transport: Transport
    server: Server
    id_of: Callable[[Got], str]

    async def behave(self, how: How) -> None:
        """Behave so from now on."""
        self.server.how = how

    async def down(self) -> None:
        """Be switched off."""
        await asyncio.to_thread(self.server.stop)

    async def got(self) -> list[str]:
        """Return what came."""
        return [self.id_of(request) for request in self.server.requests]

    async def effects(self) -> list[str]:
        """Return what came first under its id."""
        return list(dict.fromkeys(await self.got()))


def by_header(name: str) -> Callable[[Got], str]:
    """Know a message by a header `delivery-N`."""
    return lambda request: request.headers[name].replace("delivery-", "C")


def by_element(request: Got) -> str:
    """Know a message by 消息编号."""
    root = etree.fromstring(request.body)
    return "".join(each.text or "" for each in root.iter("{*}消息编号"))


class HttpHarness:
    """A kind over HTTP."""

    def __init__(
        self,
        way: Callable[[str], tuple[AnyDestination, Transport]],
        id_of: Callable[[Got], str],
        says: Callable[[How], tuple[int, str, bytes]] = plain,
        *,
        reads: bool = True,
    ) -> None:
        self._way, self._id_of, self._says = way, id_of, says
        self.reads = reads

    @asynccontextmanager
    async def receiving(self) -> AsyncIterator[HttpPeer]:
        """Run a receiver."""
        server = Server(self._says)
        spec, transport = self._way(server.start())
        try:
            yield HttpPeer(spec, transport, server, self._id_of)
        finally:
            await transport.close()
            await asyncio.to_thread(server.stop)
