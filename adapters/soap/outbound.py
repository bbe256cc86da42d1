"""Delivering by SOAP 1.1 or 1.2: an operation of a service whose WSDL is pinned."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lxml import etree

from adapters.exchange import Exchange, Request, again, authorization
from adapters.soap.contract import Contract, signed
from adapters.soap.replies import judged
from bus.delivery.shaping import filled
from bus.delivery.transport import Answer, OnWire, Outgoing, SentForm, secret_of
from bus.rules.destinations import SoapDestination
from bus.rules.sending.pins import read_pinned

_LIMIT = 1024 * 1024
"""Bytes read of a reply; a longer one says nothing certain."""


class SoapTransport:
    """`bus.delivery.transport.Transport` by SOAP over HTTP."""

    def __init__(
        self, spec: SoapDestination, folder: Path, secrets: Mapping[str, str], name: str = ""
    ) -> None:
        """`folder` holds the pinned files; `name`: see `Exchange`.

        Raises PermanentError when the WSDL is not what was reviewed or lacks what the file names, when a
        secret is not set, or the TLS files cannot be read.
        """
        self._spec = spec
        self._contract = Contract(spec, read_pinned(folder))
        self._password = secret_of(secrets, spec.security.secret) if spec.security else None
        self._headers = {
            "user-agent": "yilian",
            **self._contract.headers(),
            **authorization(spec.sign_in, secrets),
        }
        self._exchange = Exchange(spec, _LIMIT, name)

    async def check(self) -> None:
        """The WSDL was checked when this was made; a service says nothing without a message."""

    async def send(self, message: Outgoing, on_wire: OnWire) -> Answer:
        """Call the operation with one message; see `Transport`."""
        envelope = self._envelope(message)
        kept = SentForm(_written(envelope), "utf-8")  # before it is signed: the token holds the password
        whole = _written(signed(envelope, self._spec, self._password))
        request = Request("POST", self._spec.address, {**self._headers, **again(message)}, whole, kept)
        reply = await self._exchange.send(request, on_wire)
        return judged(reply, self._spec.answer, one_way=self._contract.one_way)

    async def close(self) -> None:
        """Close all connections."""
        await self._exchange.close()

    def _envelope(self, message: Outgoing) -> etree._Element:
        if self._spec.arguments is None:
            return self._contract.around(message.body)
        return self._contract.envelope(filled(self._spec.arguments, message))


def _written(envelope: etree._Element) -> bytes:
    return etree.tostring(envelope, xml_declaration=True, encoding="UTF-8")
