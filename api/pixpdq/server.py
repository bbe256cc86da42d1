"""The ASGI applications at `/pix` and `/pdq`: sign-in, envelope, transaction, answer or fault."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog
from fastapi import FastAPI
from lxml import etree
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from adapters.credentials import parse
from adapters.soap import faults
from adapters.soap.faults import Blame, Fault, FaultError
from adapters.soap.versions import Version
from api.failures import FailureError
from api.pixpdq import envelope, iti44, iti45, iti47, wsdl
from api.pixpdq.asked import Asked, keep
from api.platform import Platform, peer, request_id
from api.uploads import signed_in
from bus.hl7v3.elements import Element, StructureError
from bus.hl7v3.heading import heading
from bus.hl7v3.making import Answering
from bus.hl7v3.names import (
    ADD,
    CANCEL,
    CONTINUE,
    MERGE,
    PDQ_QUERY,
    PIX_QUERY,
    REVISE,
)
from consortium.access.errors import ForbiddenError, LockedOutError, NotSignedInError
from consortium.access.model import User
from consortium.errors import RetryableError

Transaction = Callable[[Asked], Element]
PIX: Mapping[str, Transaction] = {
    **dict.fromkeys((ADD, REVISE, MERGE), iti44.answer),
    PIX_QUERY: iti45.answer,
}
PDQ: Mapping[str, Transaction] = dict.fromkeys((PDQ_QUERY, CONTINUE, CANCEL), iti47.answer)
_UNANSWERED = (RetryableError, OperationalError, PoolTimeoutError)

log = structlog.get_logger("api.pixpdq")


@dataclass(frozen=True)
class Server:
    """One address."""

    parts: Platform
    address: str
    service: wsdl.Service
    transactions: Mapping[str, Transaction]

    async def describe(self, request: Request) -> Response:
        """GET: the WSDL, open to all."""
        if "wsdl" not in {key.lower() for key in request.query_params}:
            return Response(f"{self.service.name}: POST, ?wsdl\n", media_type="text/plain; charset=utf-8")
        address = str(request.url.replace(query=""))
        return Response(wsdl.render(self.service, address), media_type="text/xml; charset=utf-8")

    async def serve(self, request: Request) -> Response:
        """POST: one message."""
        try:
            body = await request.body()
        except FailureError as error:  # larger than the limit, found while it came
            english = str(error.detail)
            return _fault(Fault("too_large", "消息过大", english, status=error.status_code))
        return await run_in_threadpool(self._answered, request, body)

    def _answered(self, request: Request, body: bytes) -> Response:
        try:
            return self._answer(request, body)
        except FaultError as error:
            fault = error.fault
        except StructureError as error:
            fault = Fault("structure", "消息结构不符合 HL7 v3", error.text, error.path)
        except ForbiddenError as error:
            return _fault(Fault("forbidden", "无权进行此操作", str(error), status=403))
        except _UNANSWERED as error:
            log.warning("not_answered", address=self.address, error=type(error).__name__)
            english = "the platform cannot answer now, and nothing was stored; send the same message again"
            chinese = "平台暂不可用, 请原样重发"
            return _fault(Fault("unavailable", chinese, english, blame=Blame.RECEIVER))
        if fault.status != 401:
            keep(self.parts, self.address, peer(request), fault.code, fault.reason, body, None)
        return _fault(fault)

    def _answer(self, request: Request, body: bytes) -> Response:
        user = self._signed_in(request)
        content_type = request.headers.get("content-type", "")
        addressed = envelope.read(body, content_type, self.parts.settings.body_limit)
        head = heading(addressed.payload)
        envelope.check_action(addressed, head.interaction)
        transaction = self.transactions.get(head.interaction)
        if transaction is None:
            known = ", ".join(self.transactions)
            english = f"this address takes {known}"
            raise FaultError(Fault("interaction", "此地址不接收该消息", english, f"Body/{head.interaction}"))
        device = self.parts.settings.consortium_oid
        answering = Answering(head, device, str(uuid.uuid4()), self.parts.now())
        asked = Asked(
            self.parts,
            user,
            request_id(request),
            peer(request),
            self.address,
            addressed.payload,
            head,
            body,
            answering,
        )
        payload = transaction(asked)
        said = etree.QName(payload).localname
        wrapped = envelope.wrap(payload, said, str(uuid.uuid4()), addressed.message_id)
        media = f'{Version.V12.media_type}; charset=utf-8; action="{envelope.action(said)}"'
        return Response(wrapped, media_type=media)

    def _signed_in(self, request: Request) -> User:
        credentials = parse(request.headers.get("authorization"))
        english = "sign in with Basic or Bearer credentials, as for the uploads"
        refused = FaultError(Fault("unauthenticated", "未认证: 请用本院系统账号", english, status=401))
        if credentials is None:
            raise refused
        try:
            return signed_in(self.parts, credentials, request_id(request))
        except (NotSignedInError, LockedOutError):
            raise refused from None


def _fault(fault: Fault) -> Response:
    version = Version.V12
    response = Response(
        faults.render(fault, version),
        fault.http_status(version),
        media_type=f"{version.media_type}; charset=utf-8",
    )
    if fault.status == 401:
        response.headers["WWW-Authenticate"] = 'Basic realm="yilian", charset="UTF-8", Bearer realm="yilian"'
    return response


def mount(app: FastAPI, parts: Platform) -> None:
    """Add both addresses."""
    for root, service, transactions in (("/pix", wsdl.PIX, PIX), ("/pdq", wsdl.PDQ, PDQ)):
        server = Server(parts, f"{root}/v3", service, transactions)
        routes = [
            Route("/v3", server.describe, methods=["GET"]),
            Route("/v3", server.serve, methods=["POST"]),
        ]
        app.mount(root, Starlette(routes=routes))
