"""The addresses of PIX and PDQ over HL7 v3: `/pix/v3` and `/pdq/v3`, their transactions and their WSDL."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from adapters.ihe.server import Limits
from api import ihe
from api.ihe import Transaction
from api.limits import ORDINARY
from api.pixpdq import iti44, iti45, iti47, wsdl
from api.pixpdq.asked import keep_faulty
from api.platform import Platform

ADDRESSES: dict[str, tuple[wsdl.Service, Sequence[Transaction]]] = {
    "/pix": (wsdl.PIX, (*iti44.TRANSACTIONS, *iti45.TRANSACTIONS)),
    "/pdq": (wsdl.PDQ, iti47.TRANSACTIONS),
}
"""What is served where, at `/v3` below each."""


def mount(app: FastAPI, parts: Platform) -> None:
    """Add both addresses."""
    limits = Limits(min(ORDINARY, parts.settings.body_limit))
    for root, (service, transactions) in ADDRESSES.items():
        # the WSDL does not require WS-Addressing, and clients that are made of it may lack it
        served = ihe.route(
            parts,
            "/v3",
            transactions,
            limits,
            address=f"{root}/v3",
            keep=keep_faulty,
            unaddressed=True,
        )
        app.mount(root, Starlette(routes=[_described(service), served]))


def _described(service: wsdl.Service) -> Route:
    async def describe(request: Request) -> Response:
        """GET: the WSDL, open to all."""
        if "wsdl" not in {key.lower() for key in request.query_params}:
            return Response(f"{service.name}: POST, ?wsdl\n", media_type="text/plain; charset=utf-8")
        address = str(request.url.replace(query=""))
        return Response(wsdl.render(service, address), media_type="text/xml; charset=utf-8")

    return Route("/v3", describe, methods=["GET"])
