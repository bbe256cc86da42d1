"""The SOAP server: one address for each interface, mounted by `api` at /soap."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import ParamSpec, Protocol, TypeVar

import structlog
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from adapters import via
from adapters.credentials import Authenticate, parse
from adapters.soap import codec, faults, wsdl
from adapters.soap.faults import Blame, Fault, FaultError
from adapters.soap.interfaces import Interface, interfaces
from adapters.soap.versions import Version, by_media_type
from adapters.uploads import UploadSettings
from bus.envelope import Arrival, Receipt, Refusal
from consortium.errors import PermanentError, RetryableError

LARGE = 256 * 1024
"""Bytes from which parsing leaves the event loop for a thread."""

Given = ParamSpec("Given")
Made = TypeVar("Made")

log = structlog.get_logger("adapters.soap")


class Inbox(Protocol):
    """What this adapter needs of `bus.inbox.Inbox`."""

    async def accept(self, arrival: Arrival) -> Receipt:
        """Store and return after the commit."""
        ...

    async def refuse(self, refusal: Refusal) -> int:
        """Keep what was not accepted; return its number."""
        ...


@dataclass(slots=True)
class _Seen:
    """What is known of a request so far: what a refusal can tell."""

    version: Version
    size: int = 0
    body: bytearray = field(default_factory=bytearray)
    heading: codec.Heading | None = None


class SoapServer:
    """Answers the requests of every interface."""

    def __init__(self, inbox: Inbox, settings: UploadSettings, authenticate: Authenticate) -> None:
        self._inbox = inbox
        self._settings = settings
        self._authenticate = authenticate

    async def describe(self, request: Request) -> Response:
        """GET: the WSDL, open to all."""
        interface = interfaces().get(request.path_params["interface"])
        if interface is None:
            return _unknown_interface()
        if "wsdl" not in {key.lower() for key in request.query_params}:
            return Response(f"{interface.title}: POST, ?wsdl\n", media_type="text/plain; charset=utf-8")
        address = str(request.url.replace(query=""))
        return Response(wsdl.render(interface, address), media_type="text/xml; charset=utf-8")

    async def upload(self, request: Request) -> Response:
        """POST: one upload."""
        interface = interfaces().get(request.path_params["interface"])
        if interface is None:
            return _unknown_interface()
        seen = _Seen(by_media_type(_content_type(request)) or Version.V11)
        try:
            campus = await self._signed_in(request)
            content = await self._take(request, interface, seen)
            if via.passed(request.headers.getlist("via"), self._settings.name):
                raise FaultError(Fault(via.CODE, via.CHINESE, via.DETAIL, status=via.STATUS))
            return await self._accept(content, campus, interface, seen)
        except FaultError as error:
            return await self._refused(error.fault, request, interface, seen)

    async def _signed_in(self, request: Request) -> str:
        credentials = parse(request.headers.get("authorization"))
        campus = await self._authenticate(credentials) if credentials else None
        if campus is None:
            english = "sign in with the Basic or Bearer credentials of your campus's system account"
            raise FaultError(Fault("unauthenticated", "未认证: 请用本院系统账号", english, status=401))
        return campus

    async def _take(self, request: Request, interface: Interface, seen: _Seen) -> codec.Content:
        content_type = _content_type(request)
        encoded = request.headers.get("content-encoding", "identity") != "identity"
        if encoded or by_media_type(content_type) is None:
            chinese = "Content-Type 应为 text/xml (SOAP 1.1) 或 application/soap+xml (SOAP 1.2), 不压缩"
            english = "Content-Type must be text/xml or application/soap+xml, without Content-Encoding"
            raise FaultError(Fault("content_type", chinese, english, status=415))
        await self._read_body(request, seen)
        body, limit = bytes(seen.body), self._settings.body_limit
        content = await _off_loop(body, codec.read, body, content_type, seen.version, limit)
        seen.heading = content.heading
        return await _off_loop(body, codec.check, content, interface)

    async def _read_body(self, request: Request, seen: _Seen) -> None:
        limit = self._settings.body_limit
        declared = request.headers.get("content-length", "")
        seen.size = int(declared) if declared.isdecimal() else 0
        if seen.size > limit:
            raise FaultError(_too_large(limit))
        try:
            async with asyncio.timeout(self._settings.read_seconds):
                async for chunk in request.stream():
                    seen.body += chunk
                    if len(seen.body) > limit:
                        raise FaultError(_too_large(limit))
        except TimeoutError:
            raise FaultError(
                Fault("timeout", "接收超时", "the request did not arrive in time", status=408)
            ) from None
        except ClientDisconnect:
            raise FaultError(
                Fault("disconnected", "连接中断", "the connection broke within the request")
            ) from None
        seen.size = len(seen.body)

    async def _accept(
        self, content: codec.Content, campus: str, interface: Interface, seen: _Seen
    ) -> Response:
        _check_campus(content.heading.facility, campus, self._settings.campuses)
        try:
            receipt = await self._inbox.accept(codec.arrival(content, bytes(seen.body), interface))
        except RetryableError as error:
            log.warning("not_stored", endpoint=interface.name, error=type(error).__name__)
            chinese = "未接收: 平台暂不可用, 请原样重发"
            english = "not stored: the platform cannot store now; send the same message again"
            raise FaultError(Fault("unavailable", chinese, english, blame=Blame.RECEIVER)) from error
        except PermanentError as error:
            english = "this message cannot be stored; report its 消息编号 to the platform's operators"
            raise FaultError(
                Fault("unstorable", "该消息无法存储, 请将消息编号告知平台运维", english)
            ) from error
        return _xml(codec.answer(receipt, content.heading, seen.version), seen.version, 200)

    async def _refused(self, fault: Fault, request: Request, interface: Interface, seen: _Seen) -> Response:
        if fault.blame is not Blame.RECEIVER:
            await self._record(_refusal(fault, request, interface, seen, self._settings.keep_limit))
        response = _xml(faults.render(fault, seen.version), seen.version, fault.http_status(seen.version))
        if fault.status == 401:
            response.headers["WWW-Authenticate"] = (
                'Basic realm="yilian", charset="UTF-8", Bearer realm="yilian"'
            )
        return response

    async def _record(self, refusal: Refusal) -> None:
        try:
            await self._inbox.refuse(refusal)
        except RetryableError as error:
            log.warning("refusal_not_recorded", code=refusal.code, error=type(error).__name__)


def create_app(inbox: Inbox, settings: UploadSettings, authenticate: Authenticate) -> Starlette:
    """Return the ASGI application: GET and POST `/<interface>`, to be mounted at /soap."""
    server = SoapServer(inbox, settings, authenticate)
    return Starlette(
        routes=[
            Route("/{interface}", server.describe, methods=["GET"]),
            Route("/{interface}", server.upload, methods=["POST"]),
        ]
    )


async def _off_loop(
    body: bytes, call: Callable[Given, Made], *given: Given.args, **named: Given.kwargs
) -> Made:
    """Call in a thread where the body is large, so that other requests go on meanwhile."""
    if len(body) < LARGE:
        return call(*given, **named)
    return await asyncio.to_thread(call, *given, **named)


def _content_type(request: Request) -> str:
    return request.headers.get("content-type", "")


def _check_campus(facility: str, campus: str, known: Collection[str]) -> None:
    path = "消息头/机构代码"
    if facility not in known:
        english = "no campus of the consortium has this code"
        raise FaultError(Fault("unknown_campus", "联盟内没有该机构代码", english, path))
    if facility != campus:
        english = f"this account uploads for {campus} alone"
        raise FaultError(Fault("wrong_campus", f"该账号只能上传 {campus} 的数据", english, path))


def _too_large(limit: int) -> Fault:
    english = f"larger than the limit of {limit} bytes; send it in parts"
    return Fault("too_large", f"消息超过上限 {limit} 字节, 请分批发送", english, status=413)


def _refusal(fault: Fault, request: Request, interface: Interface, seen: _Seen, keep: int) -> Refusal:
    heading = seen.heading
    client = request.client
    return Refusal(
        protocol="soap",
        endpoint=f"/soap/{interface.name}",
        peer=f"{client.host}:{client.port}" if client else "",
        code=fault.code,
        reason=fault.reason,
        body=bytes(seen.body[:keep]),
        size=max(seen.size, len(seen.body)),
        facility=(heading.facility or None) if heading else None,
        control_id=(heading.control_id or None) if heading else None,
        message_type=interface.message_type,
    )


def _xml(body: bytes, version: Version, status: int) -> Response:
    return Response(body, status, media_type=f"{version.media_type}; charset=utf-8")


def _unknown_interface() -> Response:
    names = ", ".join(interfaces())
    return Response(f"no such interface; there are: {names}\n", 404, media_type="text/plain; charset=utf-8")
