"""The server side: one address, some transactions told apart by wsa:Action; mounted by `api`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog
from lxml import etree
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from adapters.ihe import envelope
from adapters.ihe.counts import Counts, Fate
from adapters.ihe.envelope import Message
from adapters.ihe.faults import Blame, Fault, FaultError, unavailable
from adapters.ihe.mtom import Parts, unpack
from consortium.access.errors import ForbiddenError, LockedOutError, NotSignedInError
from consortium.errors import RetryableError

LARGE = 1024 * 1024
"""Bytes."""
CHALLENGE = 'Basic realm="yilian", charset="UTF-8", Bearer realm="yilian"'

Caller = TypeVar("Caller")
"""What the sign-in makes of a request."""

log = structlog.get_logger("adapters.ihe")


@dataclass(frozen=True, slots=True)
class Call(Generic[Caller]):
    """One request of one transaction, understood and signed in."""

    caller: Caller
    message: Message
    parts: Parts
    """Takes the documents that go out: `parts.put(element, content, mime_type)`."""


Handle = Callable[[Call[Caller]], Awaitable[etree._Element]]  # noqa: SLF001 - lxml names its type so
"""Does one transaction and returns the element of the answer's Body.

May raise FaultError, ForbiddenError and RetryableError; what a profile answers with a response of its own (a
RegistryResponse, an MCCI acknowledgement) is an answer and no fault.
"""


def threaded(handle: Callable[[Call[Caller]], etree._Element]) -> Handle[Caller]:
    """Make a handler of a function that waits for the database: it gets a thread."""

    async def threading(call: Call[Caller]) -> etree._Element:
        return await run_in_threadpool(handle, call)

    return threading


@dataclass(frozen=True, slots=True)
class Operation(Generic[Caller]):
    """One transaction."""

    answer_action: str | None
    """wsa:Action of the answer, as urn:ihe:iti:2007:RegistryStoredQueryResponse; None: the answer's name, as
    urn:hl7-org:v3:PRPA_IN201310UV02.
    """
    handle: Handle[Caller]
    fate: Callable[[etree._Element], Fate] | None = None
    """Reads in an answer what became of the content that was sent; None: a question, which brings none."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may take."""

    body: int
    """Bytes."""
    read_seconds: float = 60.0
    at_once: int = 8
    """Large requests that are held in memory at the same time; more wait. Small ones never do."""


@dataclass(slots=True)
class Seen(Generic[Caller]):
    """What was known of a request when it failed: for the audit."""

    request: Request
    caller: Caller | None = None
    action: str | None = None
    message_id: str | None = None
    mtom: bool = False
    body: bytes | None = None
    """What came, where all of it did."""


class Endpoint(Generic[Caller]):
    """One address. `sign_in` raises NotSignedInError or LockedOutError; `failed` hears of every fault."""

    def __init__(
        self,
        operations: Mapping[str, Operation[Caller]],
        sign_in: Callable[[Request], Awaitable[Caller]],
        limits: Limits,
        failed: Callable[[Seen[Caller], Fault], Awaitable[None]],
        *,
        unaddressed: bool = False,
        counts: Counts | None = None,
    ) -> None:
        """`operations` by wsa:Action of the request; `unaddressed`: those without WS-Addressing are taken;
        `counts`: where content is counted.
        """
        self._operations = operations
        self._sign_in = sign_in
        self._limits = limits
        self._failed = failed
        self._unaddressed = unaddressed
        takes = any(operation.fate for operation in operations.values())
        self._counts = counts if takes else None
        self._places = asyncio.Semaphore(limits.at_once)

    def route(self, path: str) -> Route:
        """Return the route that serves it."""
        return Route(path, self._serve, methods=["POST"])

    async def _serve(self, request: Request) -> Response:
        seen: Seen[Caller] = Seen(request)
        try:
            seen.caller = await self._sign_in(request)
            async with self._places if _is_large(request) else nullcontext():
                return await self._answer(request, seen, seen.caller)
        except Exception as error:  # noqa: BLE001 - whatever failed, a SOAP client is answered by a fault
            fault = _fault_of(error)
        self._count_fault(seen, fault)
        await self._failed(seen, fault)
        return _faulted(fault, seen)

    async def _answer(self, request: Request, seen: Seen[Caller], caller: Caller) -> Response:
        seen.body = await self._body(request)
        message = await run_in_threadpool(self._read, seen.body, seen)
        operation = self._operations.get(message.action)
        if operation is None:
            raise FaultError(_unknown_action(self._operations))
        call = Call(caller, message, Parts(message.mtom))
        payload = await operation.handle(call)
        if self._counts is not None and operation.fate is not None:
            self._counts.note(operation.fate(payload))
        action = operation.answer_action or envelope.named(payload)
        answer = envelope.written(payload, action, relates_to=message.message_id)
        content, content_type = await run_in_threadpool(call.parts.pack, answer, action)
        return Response(content, headers={"Content-Type": content_type})

    def _count_fault(self, seen: Seen[Caller], fault: Fault) -> None:
        operation = self._operations.get(seen.action or "")
        if self._counts is not None and (operation is None or operation.fate is not None):
            self._counts.faulted(fault)

    async def _body(self, request: Request) -> bytes:
        limit, body = self._limits.body, bytearray()
        if request.headers.get("content-encoding", "identity") != "identity":
            english = "send it without Content-Encoding"
            raise FaultError(Fault("content_encoding", "请不要压缩 (Content-Encoding)", english, status=415))
        declared = request.headers.get("content-length", "0")
        if declared.isdecimal() and int(declared) > limit:
            raise FaultError(_too_large(limit))
        try:
            async with asyncio.timeout(self._limits.read_seconds):
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > limit:
                        raise FaultError(_too_large(limit))
        except TimeoutError:
            english = "the request did not arrive in time"
            raise FaultError(Fault("timeout", "接收超时", english, status=408)) from None
        except ClientDisconnect:
            english = "the connection broke within the request"
            raise FaultError(Fault("disconnected", "连接中断", english)) from None
        return bytes(body)

    def _read(self, body: bytes, seen: Seen[Caller]) -> Message:
        packed = unpack(body, seen.request.headers.get("content-type", ""))
        seen.mtom = packed.mtom
        root = envelope.opened(packed, self._limits.body)
        seen.message_id = envelope.message_id_of(root)
        message = envelope.read(root, packed, unaddressed=self._unaddressed)
        seen.action = message.action
        if message.message_id is None and not self._unaddressed:
            raise envelope.missing("MessageID")
        return message


def _is_large(request: Request) -> bool:
    declared = request.headers.get("content-length", "")
    return not declared.isdecimal() or int(declared) > LARGE


def _fault_of(error: Exception) -> Fault:
    if isinstance(error, FaultError):
        return error.fault
    if isinstance(error, NotSignedInError):
        english = "sign in with the Basic or Bearer credentials of a user or system account"
        return Fault("unauthenticated", "未认证: 请用用户或系统账号登录", english, status=401)
    if isinstance(error, LockedOutError):
        return Fault("locked_out", "登录失败次数过多, 请稍后再试", str(error), status=429)
    if isinstance(error, ForbiddenError):
        return Fault("forbidden", "无权执行此操作", str(error), status=403)
    if isinstance(error, RetryableError):
        log.warning("not_answered", error=type(error).__name__)
        return unavailable()
    log.error("request_failed", exc_info=error)
    english = "the server failed; give the request id to those who run it"
    return Fault("internal", "服务器内部错误, 请将请求编号告知平台运维", english, Blame.RECEIVER)


def _faulted(fault: Fault, seen: Seen[Caller]) -> Response:
    content = envelope.fault_written(fault, seen.message_id)
    body, content_type = Parts(seen.mtom).pack(content, fault.action)
    response = Response(body, fault.http_status, headers={"Content-Type": content_type})
    if fault.status == 401:
        response.headers["WWW-Authenticate"] = CHALLENGE
    return response


def _unknown_action(known: Mapping[str, object]) -> Fault:
    english = f"this address serves no such wsa:Action; it serves {', '.join(sorted(known))}"
    return Fault("action", "此地址不支持该 wsa:Action", english, addressing="ActionNotSupported")


def _too_large(limit: int) -> Fault:
    english = f"larger than the limit of {limit} bytes; send less at once"
    return Fault("too_large", f"消息超过上限 {limit} 字节, 请分批提交", english, status=413)
